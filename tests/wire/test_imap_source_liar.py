"""What the IMAP source makes of a server that lies, or breaks at the worst moment."""

import asyncio
import re
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import pytest

from postroom.ledger import State
from servers import accounts
from servers.liar import CAPABILITIES, Peer, lying
from wire.scripts import BODY, listed, literal, one_message, select, serve
from wire.sites import site

MOVE = "rules: [{name: all, do: [{move: Done}]}]"
OAUTH = CAPABILITIES.replace("AUTH=PLAIN", "AUTH=XOAUTH2")


async def test_an_old_uid_in_answer_to_an_open_range_is_no_new_mail(tmp_path: Path) -> None:
    async with lying(one_message({})) as liar:
        account = accounts.plain(liar.port, start="all", idle="0.1s")
        async with site(tmp_path, account) as here, here.watching():
            await here.until(lambda: sum("2:*" in said for said in liar.said) >= 3 and here.ends() == ["kept"])


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


@pytest.mark.parametrize("place", ["keep", "move: Done"])
async def test_a_no_to_append_leaves_the_original(tmp_path: Path, place: str) -> None:
    rules = f"rules: [{{name: all, do: [{{subject: {{prefix: x}}}}, {{{place}}}]}}]".replace("{keep}", "keep")
    async with lying(one_message({"APPEND": lambda _: ["NO [OVERQUOTA] enough"]})) as liar:
        account = accounts.plain(liar.port, start="all", idle="0.1s", rewrite=True)
        async with site(tmp_path, account, rules) as here, here.watching():
            await here.until(lambda: here.rows(State.DONE) and here.rows()[0].tries == 1)
        assert [said for said in liar.said if said.startswith("APPEND")]
        assert not [said for said in liar.said if re.search("UID (STORE|EXPUNGE|MOVE)", said)]


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


async def test_a_server_that_goes_away_in_idle_is_found_again(tmp_path: Path) -> None:
    """Where nobody notices that, no mail is processed for days."""
    connections = 0

    async def script(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        if connections < 3:
            await peer.log_in()
            await select(peer, next=1, exists=0)
            await peer.answer("UID FETCH")
            await peer.command("IDLE")
            peer.send("+ idling")
            return
        await one_message({})(peer)

    async with lying(script) as liar, site(tmp_path, accounts.plain(liar.port)) as here, here.watching():
        await here.until(lambda: here.ends() == ["kept"])
        assert here.desk.seen.reconnects == 2


async def test_a_token_that_expires_in_the_middle_of_a_run_is_fetched_anew(tmp_path: Path) -> None:
    """Servers end the session then; the next one brings what the program prints by now."""
    token = tmp_path / "token"
    token.write_text("first")

    async def expires(peer: Peer) -> None:
        await peer.log_in(OAUTH)
        await select(peer)
        await peer.answer("UID FETCH", listed(1))
        token.write_text("second")
        await peer.command()
        peer.send("* BYE session expired")

    async def goes_on(peer: Peer) -> None:
        bodies = {r"UID FETCH .*BODY\.PEEK": lambda _: [literal(1)]}
        sizes = {r"UID FETCH .*RFC822.SIZE": lambda command: [listed(1)] if "2:*" not in command else []}
        await serve(peer, sizes | bodies, OAUTH)

    async with lying(expires, goes_on) as liar:
        command = ["cat", str(token)]
        account = accounts.plain(liar.port, start="all", idle="0.1s", auth="xoauth2", token_command=command)
        async with site(tmp_path, account) as here, here.watching():
            await here.until(lambda: here.ends() == ["kept"])
    said = [b64decode(one.split()[2]) for one in liar.said if one.startswith("AUTHENTICATE")]
    assert said == [b"user=user\1auth=Bearer %s\1\1" % one for one in (b"first", b"second")]


async def test_mail_that_comes_between_the_look_and_idle_is_not_missed(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await select(peer, next=1, exists=0)
        await peer.answer(r"UID FETCH 1:\*", done="OK done")
        peer.send("* 1 EXISTS")  # unasked, and never again
        first = await peer.command()
        if first == "IDLE":  # it was on its way already
            peer.send("+ idling")
            assert await peer.line() == "DONE"
            peer.done()
            first = await peer.command()
        assert first.startswith("UID FETCH 1:*")
        peer.send(listed(1))
        peer.done()
        await peer.answer("UID FETCH 1 .*BODY", literal(1))
        await peer.hang()

    async with (
        lying(script) as liar,
        site(tmp_path, accounts.plain(liar.port, start="all")) as here,
        here.watching(),
    ):
        await here.until(lambda: here.ends() == ["kept"])


async def test_idle_is_renewed_and_the_folder_looked_at_each_time(tmp_path: Path) -> None:
    """A push is only a hint, and may never come."""

    async def script(peer: Peer) -> None:
        def look(command: str) -> list[str | bytes]:
            return [listed(1)] if peer.said.count("IDLE") >= 3 and "1:*" in command else []

        answers: dict[str, Callable[[str], list[str | bytes]]] = {
            r"UID FETCH .*RFC822.SIZE": look,
            r"UID FETCH .*BODY": lambda _: [literal(1)],
        }
        await serve(peer, answers, next=1, exists=0)

    async with lying(script) as liar:
        account = accounts.plain(liar.port, start="all", idle="0.05s")
        async with site(tmp_path, account) as here, here.watching():
            await here.until(lambda: here.ends() == ["kept"])


async def test_a_server_that_refuses_the_idle_it_offers_is_polled(tmp_path: Path) -> None:
    looks = 0

    def look(command: str) -> list[str | bytes]:
        nonlocal looks
        looks += 1
        return [listed(1)] if looks > 2 and "1:*" in command else []

    async def script(peer: Peer) -> None:
        await peer.log_in()
        await select(peer, next=1, exists=0)
        while True:
            command = await peer.command()
            if "RFC822.SIZE" in command:
                peer.send(*look(command))
            if "BODY" in command:
                peer.send(literal(1))
            peer.done("BAD unknown command" if command == "IDLE" else "OK done")

    async with lying(script) as liar:
        account = accounts.plain(liar.port, start="all", poll="0.05s")
        async with site(tmp_path, account) as here, here.watching():
            await here.until(lambda: here.ends() == ["kept"])
        assert liar.said.count("IDLE") == 1
        assert "NOOP" in liar.said


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
