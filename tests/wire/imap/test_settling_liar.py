"""What the IMAP source believes of what a server says to its moves, copies, flags and deletions."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from postroom.ledger import State
from servers import accounts
from servers.liar import CAPABILITIES, Peer, lying
from wire.imap.boxes import MOVE
from wire.imap.scripts import BODY, listed, literal, one_message, serve
from wire.sites import site


async def test_a_no_to_copy_deletes_nothing(tmp_path: Path) -> None:
    """Where there is no MOVE, the original goes only after a copy that succeeded."""
    capabilities = "IMAP4rev1 IDLE UIDPLUS SASL-IR AUTH=PLAIN"

    async def script(peer: Peer) -> None:
        real = peer.log_in

        async def log_in(_: str = "") -> None:
            await real(capabilities)

        peer.log_in = log_in  # type: ignore[method-assign,assignment]
        refusal: dict[str, Callable[[str], list[str | bytes]]] = {
            "UID COPY": lambda _: ["NO [OVERQUOTA] full"],
            r"UID FETCH 1:\* \(UID RFC822.SIZE\)": lambda _: [],  # of the other folder
        }
        await one_message(refusal)(peer)

    async with lying(script) as liar:
        account = accounts.plain(liar.port, start="all", idle="0.1s")
        async with site(tmp_path, account, MOVE) as here, here.watching():
            await here.until(lambda: here.rows(State.DONE) and here.rows()[0].tries == 1)
            assert "OVERQUOTA" in (here.rows()[0].error or "")
        assert not [said for said in liar.said if re.search("Deleted|EXPUNGE", said)]


@pytest.mark.parametrize(
    "answer",
    [["OK done"], ["NO [LIMIT] not now"], ["* OK [COPYUID 9 77 88] moved", "OK done"]],
    ids=["nothing moved", "refused", "another one moved"],
)
async def test_an_ok_to_move_proves_nothing(tmp_path: Path, answer: list[str | bytes]) -> None:
    """Dovecot says OK to a UID MOVE that moves nothing."""
    async with lying(one_message({"UID MOVE": lambda _: list(answer)})) as liar:
        account = accounts.plain(liar.port, start="all", idle="0.1s")
        async with site(tmp_path, account, MOVE) as here, here.watching():
            await here.until(lambda: here.rows(State.DONE) and here.rows()[0].tries == 1)


async def test_a_message_that_is_gone_is_believed_gone_the_second_time_only(tmp_path: Path) -> None:
    asked = iter([[]])
    present: list[str | bytes] = ["* 1 FETCH (UID 1 FLAGS ())"]
    moved: list[bool] = []

    def flags(_: str) -> list[str | bytes]:
        return [] if moved else list(next(asked, present))

    def move(_: str) -> list[str | bytes]:
        moved.append(True)
        return ["* OK [COPYUID 9 1 88] moved"]

    async with (
        lying(one_message({r"UID FETCH 1 \(UID FLAGS\)": flags, "UID MOVE": move})) as liar,
        site(tmp_path, accounts.plain(liar.port, start="all"), MOVE) as here,
        here.watching(),
    ):
        await here.until(lambda: here.ends() == ["moved"])


async def test_a_folder_is_made_without_waiting_for_trycreate(tmp_path: Path) -> None:
    made: list[bool] = []

    def create(_: str) -> list[str | bytes]:
        made.append(True)
        return []

    answers = {
        r'LIST "" "Done"': lambda _: ['* LIST () "/" "Done"'] if made else [],
        "CREATE": create,
        "UID MOVE": lambda _: ["* OK [COPYUID 9 1 88] moved"],
    }
    async with lying(one_message(answers)) as liar:
        async with site(tmp_path, accounts.plain(liar.port, start="all"), MOVE) as here, here.watching():
            await here.until(lambda: here.ends() == ["moved"])
        assert [said.split()[0] for said in liar.said if said.startswith(("CREATE", "SUBSCRIBE"))] == [
            "CREATE",
            "SUBSCRIBE",
        ]


async def test_a_keyword_that_the_folder_cannot_keep_is_left_out(tmp_path: Path) -> None:
    rules = "rules: [{name: all, do: [{flag: [\\Seen, \\Answered, $Junk]}]}]"
    async with lying(one_message({})) as liar:
        async with site(tmp_path, accounts.plain(liar.port, start="all"), rules) as here, here.watching():
            await here.until(lambda: here.ends() == ["kept"])
        assert [said for said in liar.said if "STORE" in said] == [r"UID STORE 1 +FLAGS.SILENT ($Junk \Seen)"]


async def test_gmail_moves_to_its_trash_where_others_delete(tmp_path: Path) -> None:
    """On Gmail an expunge only removes a label."""

    async def script(peer: Peer) -> None:
        real = peer.log_in

        async def log_in(_: str = "") -> None:
            await real(CAPABILITIES + " X-GM-EXT-1")

        peer.log_in = log_in  # type: ignore[method-assign,assignment]
        answers = {
            r'LIST "" "\*"': lambda _: [r'* LIST (\HasNoChildren \Trash) "/" "[Gmail]/Papierkorb"'],
            r'LIST "" "\[Gmail': lambda _: [r'* LIST (\HasNoChildren \Trash) "/" "[Gmail]/Papierkorb"'],
            "UID MOVE": lambda _: ["* OK [COPYUID 9 1 88] moved"],
        }
        await one_message(answers)(peer)

    async with lying(script) as liar:
        account = accounts.plain(liar.port, start="all")
        async with site(tmp_path, account, "rules: [{name: all, do: [discard]}]") as here, here.watching():
            await here.until(lambda: here.ends() == ["gone"])
        assert [said for said in liar.said if "MOVE" in said] == ['UID MOVE 1 "[Gmail]/Papierkorb"']


async def test_nothing_costly_or_unreliable_is_ever_asked(tmp_path: Path) -> None:
    """No SEARCH, no UNSEEN, no sequence numbers, no Recent, no STATUS of the selected folder."""
    async with lying(one_message({"UID MOVE": lambda _: ["* OK [COPYUID 9 1 88] moved"]})) as liar:
        async with site(tmp_path, accounts.plain(liar.port, start="all"), MOVE) as here, here.watching():
            await here.until(lambda: here.ends() == ["moved"])
        assert not [
            said
            for said in liar.said
            if re.match(r"(?i)(SEARCH|UID SEARCH|FETCH|STORE|COPY|STATUS|EXPUNGE|CLOSE)", said)
        ]
        assert not [said for said in liar.said if re.search(r"(?i)UNSEEN|RECENT|BODY\[", said)]


async def test_a_move_of_which_the_server_tells_nothing_is_no_new_mail_either(tmp_path: Path) -> None:
    """Without UIDPLUS only the contents say that a message is ours."""
    folders: dict[str, dict[int, bytes]] = {"INBOX": {1: BODY}, "Done": {}}

    async def script(peer: Peer) -> None:
        await peer.log_in("IMAP4rev1 MOVE SASL-IR AUTH=PLAIN")
        here = folders["INBOX"]
        while True:
            command = await peer.command()
            if found := re.match('SELECT "(.*)"', command):
                here = folders[found[1]]
                peer.send(f"* {len(here)} EXISTS", "* OK [UIDVALIDITY 7] ok", f"* OK [UIDNEXT {len(here) + 1}] ok")
            elif command.startswith("UID FETCH"):
                lines = literal if "BODY" in command else lambda uid, _: listed(uid)  # type: ignore[misc]
                peer.send(*(lines(uid, body) for uid, body in here.items()))  # type: ignore[operator]
            elif command.startswith("UID MOVE"):
                folders["Done"][1] = folders["INBOX"].pop(1)
            elif command.startswith("LIST"):
                peer.send('* LIST () "/" "Done"')
            peer.done()

    rules = "rules: [{name: in, when: {folder: INBOX}, do: [{move: Done}]}, {name: two, when: {folder: Done}, do: [discard]}]"
    async with lying(script) as liar:
        account = accounts.plain(liar.port, start="all", folders=["INBOX", "Done"], max_connections=1, poll="0.1s")
        async with site(tmp_path, account, rules) as here, here.watching():
            await here.until(lambda: sorted(map(str, here.ends())) == ["moved", "own"])


@pytest.mark.parametrize("verdict", ["OK done", "NO [OVERQUOTA] enough"])
async def test_of_a_move_in_part_each_message_has_its_own_end(tmp_path: Path, verdict: str) -> None:
    """RFC 6851 3.3: a MOVE may fail in the middle, and what was moved until then is moved."""
    moved: list[bool] = []

    def flags(_: str) -> list[str | bytes]:
        return [f"* {uid} FETCH (UID {uid} FLAGS ())" for uid in ((2,) if moved else (1, 2))]

    def move(_: str) -> list[str | bytes]:
        moved.append(True)
        return ["* OK [COPYUID 9 1 88] moved", "* 1 EXPUNGE", verdict]

    async def script(peer: Peer) -> None:
        answers: dict[str, Callable[[str], list[str | bytes]]] = {
            r"UID FETCH .*RFC822.SIZE": lambda command: [listed(1), listed(2)] if ":*" not in command else [],
            r"UID FETCH .*BODY\.PEEK": lambda _: [literal(1), literal(2)],
            r"UID FETCH .*\(UID FLAGS\)": flags,
            r'LIST "" "Done"': lambda _: ['* LIST () "/" "Done"'],
            "UID MOVE": move,
        }
        await serve(peer, answers, next=3, exists=2)

    async with lying(script) as liar, site(tmp_path, accounts.plain(liar.port, start="all"), MOVE) as here:
        here.works = False
        async with here.watching():
            await here.until(lambda: len(here.rows(State.RECEIVED)) == 2)
            await asyncio.to_thread(here.work_off)
            await here.until(lambda: here.ends() == ["moved", "done"] and here.rows()[1].tries == 1)
        assert not [said for said in liar.said if re.search("STORE|EXPUNGE", said)]


@pytest.mark.parametrize("place", ["keep", "move: Done"])
async def test_a_no_to_append_leaves_the_original(tmp_path: Path, place: str) -> None:
    rules = f"rules: [{{name: all, do: [{{subject: {{prefix: x}}}}, {{{place}}}]}}]".replace("{keep}", "keep")
    async with lying(one_message({"APPEND": lambda _: ["NO [OVERQUOTA] enough"]})) as liar:
        account = accounts.plain(liar.port, start="all", idle="0.1s", rewrite=True)
        async with site(tmp_path, account, rules) as here, here.watching():
            await here.until(lambda: here.rows(State.DONE) and here.rows()[0].tries == 1)
        assert [said for said in liar.said if said.startswith("APPEND")]
        assert not [said for said in liar.said if re.search("UID (STORE|EXPUNGE|MOVE)", said)]
