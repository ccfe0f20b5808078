"""What the IMAP source makes of a server that says odd things of its UIDs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from servers import accounts
from servers.liar import Peer, lying
from wire.imap.scripts import BODY, listed, literal, one_message, serve
from wire.sites import site


async def test_an_old_uid_in_answer_to_an_open_range_is_no_new_mail(tmp_path: Path) -> None:
    async with lying(one_message({})) as liar:
        account = accounts.plain(liar.port, start="all", idle="0.1s")
        async with site(tmp_path, account) as here, here.watching():
            await here.until(lambda: sum("2:*" in said for said in liar.said) >= 3 and here.ends() == ["kept"])


async def test_another_uidvalidity_while_selected_takes_no_message_under_a_wrong_key(tmp_path: Path) -> None:
    """RFC 2683 3.4.3."""

    async def first(peer: Peer) -> None:
        sizes = {r"UID FETCH .*RFC822.SIZE": lambda _: ["* OK [UIDVALIDITY 8] new", listed(1)]}
        await serve(peer, sizes, validity=7)

    async def then(peer: Peer) -> None:
        answers = {
            r"UID FETCH .*RFC822.SIZE": lambda _: [
                listed(1).replace("FLAGS", 'INTERNALDATE "01-Jan-2040 00:00:00 +0000" FLAGS')
            ],
            r"UID FETCH .*BODY\.PEEK": lambda _: [literal(1)],
        }
        await serve(peer, answers, validity=8)

    async with (
        lying(first, then) as liar,
        site(tmp_path, accounts.plain(liar.port, start="all")) as here,
        here.watching(),
    ):
        await here.until(lambda: here.ends() == ["kept"])
        assert here.rows()[0].source_key == "INBOX/8/1"


async def test_a_server_without_uidnext_is_enough(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.answer("SELECT", "* 1 EXISTS", "* OK [UIDVALIDITY 7] ok")
        await peer.answer(r"UID FETCH \* \(UID\)", "* 1 FETCH (UID 41)")
        await peer.answer(r"UID FETCH 42:\* ", listed(41), listed(42))
        await peer.answer("UID FETCH 42 .*BODY", literal(42))
        await peer.hang()

    async with lying(script) as liar, site(tmp_path, accounts.plain(liar.port)) as here, here.watching():
        await here.until(lambda: here.ends() == ["kept"])
        assert here.rows()[0].source_key == "INBOX/7/42"


@pytest.mark.parametrize("missing", [1, 2, 3])
async def test_a_message_that_the_server_left_out_once_is_not_passed_by(tmp_path: Path, missing: int) -> None:
    """The cursor stood behind the others by then."""
    left_out = False

    def told(_: str) -> list[str | bytes]:
        nonlocal left_out
        left_out, was = True, left_out
        return [listed(uid) for uid in (1, 2, 3) if was or uid != missing]

    answers: dict[str, Callable[[str], list[str | bytes]]] = {
        r"UID FETCH .*BODY\.PEEK": lambda _: [literal(uid) for uid in (1, 2, 3)],
        r"UID FETCH 1:(3|\*) ": told,
        r"UID FETCH ": lambda _: [listed(3)],
    }

    async def script(peer: Peer) -> None:
        await serve(peer, answers, next=1, exists=3)

    async with (
        lying(script) as liar,
        site(tmp_path, accounts.plain(liar.port, start="all")) as here,
        here.watching(),
    ):
        await here.until(lambda: here.ends() == ["kept", "kept", "kept"])


@pytest.mark.parametrize(
    ("next_", "beyond", "ends"),
    [
        pytest.param(77, [], ["kept", "kept"], id="UIDNEXT"),
        pytest.param(2**32 - 1, [], ["kept", "kept"], id="the highest UIDNEXT"),
        pytest.param(10**25, [], ["kept", "kept"], id="a UIDNEXT that no database holds"),
        pytest.param(2, [listed(2**32 - 2)], ["kept", "vanished", "kept"], id="a UID that nobody has"),
    ],
)
async def test_what_a_server_once_said_of_its_uids_hides_no_mail_for_ever(
    tmp_path: Path, next_: int, beyond: list[str | bytes], ends: list[str]
) -> None:
    """The cursor stood behind UIDs that were never given, and what came later in front of it."""

    def holding(*uids: int) -> dict[str, Callable[[str], list[str | bytes]]]:
        """Answers every FETCH by the book; each body is another."""

        def told(command: str) -> list[str | bytes]:
            low, _, high = command.split()[2].replace("*", str(uids[-1])).partition(":")
            found = [uid for uid in uids if int(low) <= uid <= int(high or low)] or [uids[-1]]
            if "BODY" not in command:
                return [listed(uid) for uid in found]
            return [literal(uid, BODY + b"%d\r\n" % uid) for uid in found]

        return {"UID FETCH": told}

    async def wrong(peer: Peer) -> None:
        lie: dict[str, Callable[[str], list[str | bytes]]] = {r"UID FETCH 2:\* ": lambda _: list(beyond)}
        await serve(peer, (lie if beyond else {}) | holding(1), next=next_)

    async def right(peer: Peer) -> None:
        await serve(peer, holding(1, 2), next=3, exists=2)

    async with lying(wrong, right) as liar, site(tmp_path, accounts.plain(liar.port, start="all")) as here:
        async with here.watching():
            await here.until(lambda: here.ends()[:1] == ["kept"] and any("IDLE" in said for said in liar.said))
        async with here.watching():
            await here.until(lambda: here.ends() == ends)
