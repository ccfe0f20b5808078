"""What the IMAP source makes of bodies that do not come, come short, or break the connection."""

import re
from pathlib import Path

import pytest

from postroom.ledger import State
from servers import accounts
from servers.liar import Peer, lying
from wire.imap.boxes import MOVE
from wire.imap.scripts import BODY, listed, literal, one_message, serve
from wire.sites import site


@pytest.mark.parametrize("empty", [b"* 1 FETCH (UID 1 BODY[] NIL)", b'* 1 FETCH (UID 1 BODY[] "")', b"* 5 EXISTS"])
async def test_a_body_that_does_not_come_is_wanted_and_no_empty_message(tmp_path: Path, empty: bytes) -> None:
    """Others took a FETCH that returned nothing for an empty message, and deleted the mail."""
    async with lying(one_message({r"UID FETCH .*BODY\.PEEK": lambda _: [empty]})) as liar:
        account = accounts.plain(liar.port, start="all", idle="0.1s")
        async with site(tmp_path, account, MOVE) as here, here.watching():
            await here.until(lambda: here.rows(State.WANTED) and here.rows()[0].tries == 1)
            assert here.rung == []


async def test_a_message_that_cannot_be_had_holds_up_none(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        sizes = {r"UID FETCH .*RFC822.SIZE": lambda _: [listed(uid) for uid in (1, 2, 3)]}
        bodies = {r"UID FETCH .*BODY\.PEEK": lambda _: [literal(1), b"* 2 FETCH (UID 2)", literal(3)]}
        await serve(peer, sizes | bodies, next=4, exists=3)

    async with lying(script) as liar:
        account = accounts.plain(liar.port, start="all", idle="0.1s")
        async with site(tmp_path, account) as here, here.watching():
            await here.until(lambda: here.ends() == ["kept", "wanted", "kept"])
            cursor = here.ledger.cursor("box", "INBOX")
            assert cursor is not None
            assert cursor.next == 4


async def test_a_wanted_message_comes_later(tmp_path: Path) -> None:
    tries = iter([b"* 1 FETCH (UID 1 BODY[] NIL)", b"* 1 FETCH (UID 1 BODY[] NIL)"])
    answers = {r"UID FETCH .*BODY\.PEEK": lambda _: [next(tries, literal(1))]}
    async with lying(one_message(answers)) as liar:
        account = accounts.plain(liar.port, start="all", idle="0.1s")
        retry = {"first": "0.1s", "most": "0.2s"}
        async with site(tmp_path, account, retry=retry) as here, here.watching():
            await here.until(lambda: here.ends() == ["kept"])


async def test_a_size_that_counts_line_ends_twice_is_no_short_body(tmp_path: Path) -> None:
    answers = {r"UID FETCH .*RFC822.SIZE": lambda _: [listed(1, len(BODY) + BODY.count(b"\n"))]}
    async with (
        lying(one_message(answers)) as liar,
        site(tmp_path, accounts.plain(liar.port, start="all")) as here,
        here.watching(),
    ):
        await here.until(lambda: here.ends() == ["kept"])


async def test_a_short_body_is_asked_for_again_and_believed_then(tmp_path: Path) -> None:
    """Some servers give an RFC822.SIZE that is not the body's, always."""

    def body(command: str) -> list[str | bytes]:
        start = int(found[1]) if (found := re.search(r"<(\d+)\.", command)) else 0
        return [literal(1, BODY[start:]).replace(b"BODY[]", b"BODY[]<%d>" % start)]

    answers = {r"UID FETCH .*RFC822.SIZE": lambda _: [listed(1, 5000)], r"UID FETCH .*BODY\.PEEK": body}
    async with lying(one_message(answers)) as liar:
        account = accounts.plain(liar.port, start="all", idle="0.1s")
        retry = {"first": "0.1s", "most": "0.2s"}
        async with site(tmp_path, account, retry=retry) as here, here.watching():
            await here.until(lambda: here.rows() and here.rows()[0].tries > 0)
            await here.until(lambda: here.ends() == ["kept"])
            assert here.rows()[0].size == len(BODY)


async def test_a_message_that_ends_every_connection_holds_up_none(tmp_path: Path) -> None:
    """A goodbye in the middle of a literal: its neighbours come one by one, it waits for a later try."""

    async def script(peer: Peer) -> None:
        def body(command: str) -> list[str | bytes]:
            if "1:3" in command or command.startswith("UID FETCH 2 "):
                peer.send("* 2 FETCH (UID 2 BODY[] {500}", "half of", "* BYE out of memory")
                raise EOFError
            return [literal(int(command.split()[2]))]

        sizes = {r"UID FETCH .*RFC822.SIZE": lambda _: [listed(uid) for uid in (1, 2, 3)]}
        await serve(peer, sizes | {r"UID FETCH .*BODY\.PEEK": body}, next=4, exists=3)

    async with lying(script) as liar, site(tmp_path, accounts.plain(liar.port, start="all")) as here, here.watching():
        await here.until(lambda: here.ends() == ["kept", "wanted", "kept"])
        assert here.rows(State.WANTED)[0].tries == 1
