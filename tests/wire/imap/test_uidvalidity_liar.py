"""UIDVALIDITY changes while the folder is selected, or while a message waits: no UID means what it did (RFC 2683 3.4.3)."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from postroom.ledger import State
from servers import accounts
from servers.liar import Peer, lying
from wire.imap.boxes import MOVE
from wire.imap.scripts import BODY, listed, literal, one_message, serve
from wire.sites import site

CHANGED = "* OK [UIDVALIDITY 8] new"
OTHER = b"Subject: other\r\n\r\nsomething else lies under this UID now\r\n"
NEW = "01-Jan-2040 00:00:00 +0000"
OLD = "01-Jan-2000 00:00:00 +0000"
MOVED = "* OK [COPYUID 9 1 88] moved"


async def anew(peer: Peer, *, arrived: str = NEW, body: bytes = BODY) -> None:
    """The folder that was made anew, with one message under the same UID."""
    dated = listed(1, len(body)).replace("FLAGS", f'INTERNALDATE "{arrived}" FLAGS')
    answers: dict[str, Callable[[str], list[str | bytes]]] = {
        r"UID FETCH .*RFC822.SIZE": lambda _: [dated],
        r"UID FETCH .*BODY\.PEEK": lambda _: [literal(1, body)],
        r"UID FETCH 1 \(UID FLAGS\)": lambda _: ["* 1 FETCH (UID 1 FLAGS ())"],
        r'LIST "" "Done"': lambda _: ['* LIST () "/" "Done"'],
        "UID MOVE": lambda _: [MOVED],
    }
    await serve(peer, answers, validity=8)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({r"UID FETCH .*RFC822.SIZE": lambda _: [CHANGED, listed(1)]}, id="with the sizes"),
        pytest.param({r"UID FETCH .*BODY\.PEEK": lambda _: [CHANGED, literal(1)]}, id="with the bodies"),
    ],
)
async def test_another_uidvalidity_while_selected_takes_no_message_under_a_wrong_key(
    tmp_path: Path, told: dict[str, Callable[[str], list[str | bytes]]]
) -> None:
    async with (
        lying(one_message(told), anew) as liar,
        site(tmp_path, accounts.plain(liar.port, start="all")) as here,
        here.watching(),
    ):
        await here.until(lambda: here.ends() == ["kept"])
        assert here.rows()[0].source_key == "INBOX/8/1"


async def test_a_message_is_not_believed_gone_where_its_folder_was_made_anew(tmp_path: Path) -> None:
    """Nothing is moved and nothing given up on that connection; the message is found again by its contents."""
    told = {r"UID FETCH 1 \(UID FLAGS\)": lambda _: [CHANGED]}
    async with (
        lying(one_message(told), anew) as liar,
        site(tmp_path, accounts.plain(liar.port, start="all"), MOVE) as here,
        here.watching(),
    ):
        await here.until(lambda: here.ends() == ["moved"])
        assert here.rows()[0].source_key == "INBOX/8/1"
        assert sum("UID MOVE" in said for said in liar.said) == 1


async def test_a_message_of_an_earlier_uidvalidity_is_not_taken_for_the_one_that_has_its_uid_now(
    tmp_path: Path,
) -> None:
    """It was not planned yet when the folder was made anew, so that it could not be given up then."""

    async def then(peer: Peer) -> None:
        await anew(peer, arrived=OLD, body=OTHER)

    async with (
        lying(one_message({}), then) as liar,
        site(tmp_path, accounts.plain(liar.port, start="all"), MOVE) as here,
    ):
        here.works = False
        async with here.watching():
            await here.until(lambda: len(here.rows(State.RECEIVED)) == 1)
        async with here.watching():
            await here.until(lambda: (cursor := here.ledger.cursor("box", "INBOX")) and cursor.uidvalidity == 8)
            await asyncio.to_thread(here.work_off)
            await here.until(lambda: here.ends() == ["vanished"])
        assert not [said for said in liar.said if re.search("UID (MOVE|COPY|STORE|EXPUNGE)", said)]


async def test_what_is_gone_in_the_moment_of_its_move_has_vanished(tmp_path: Path) -> None:
    """The server says OK, and that it moved nothing (RFC 6851 4.3)."""
    there: list[list[str | bytes]] = [["* 1 FETCH (UID 1 FLAGS ())"]]
    told = {r"UID FETCH 1 \(UID FLAGS\)": lambda _: there.pop() if there else []}
    async with (
        lying(one_message(told | {"UID MOVE": lambda _: ["* OK [COPYUID 9 5 88] moved"]})) as liar,
        site(tmp_path, accounts.plain(liar.port, start="all"), MOVE) as here,
        here.watching(),
    ):
        await here.until(lambda: here.ends() == ["vanished"])
