"""IMAP as a source, at its real desk, against Dovecot: with all that it can, and with nothing but IMAP4rev1."""

import asyncio
import hashlib
import random
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postroom.ledger import State
from postroom.sources.imap import markers
from postroom.sources.imap.backfill import Backfill, Progress
from servers import accounts
from servers.dovecot import Dovecot
from wire.sites import site

MOVE = "rules: [{name: all, do: [{move: Done}]}]"
CHANGED = b"Subject: [x] hello\r\n\r\nhello\r\n"  # a message of ours, whatever it was made of
DISCARD = "rules: [{name: all, do: [discard]}]"


def letter(number: int, body: bytes = b"hello") -> bytes:
    head = f"From: jane@home.example\r\nSubject: letter {number}\r\nMessage-ID: <{number}@home.example>\r\n\r\n"
    return head.encode() + body + b"\r\n"


def uids(server: Dovecot, user: str, folder: str = "INBOX") -> list[int]:
    with server.client(user, folder) as client:
        return [int(uid) for uid in client.uid("SEARCH", "ALL")[1][0].split()]


def flags(server: Dovecot, user: str, folder: str = "INBOX") -> list[set[str]]:
    """Of each message, without \\Recent."""
    with server.client(user, folder) as client:
        _, lines = client.uid("FETCH", "1:*", "(FLAGS)")
    found = [re.search(rb"FLAGS \(([^)]*)\)", line) for line in lines if line]
    return [set(one[1].decode().split()) - {"\\Recent"} for one in found if one]


def moves_by_itself(server: Dovecot, user: str) -> bool:
    with server.client(user) as client:
        return "MOVE" in client.capability()[1][0].decode().split()


def bodies(server: Dovecot, user: str, folder: str = "INBOX") -> list[bytes]:
    with server.client(user, folder) as client:
        _, found = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
    return [one[1] for one in found if isinstance(one, tuple)]


@pytest.fixture(params=["full", "poor"])
def server(request: pytest.FixtureRequest) -> Dovecot:
    """Dovecot with all that it can, and with IMAP4rev1 only."""
    found: Dovecot = request.getfixturevalue("dovecot" if request.param == "full" else "poor_dovecot")
    return found


# Collecting


async def test_old_mail_is_left_alone_and_new_mail_comes_in(server: Dovecot, user: str, tmp_path: Path) -> None:
    server.append(user, letter(1), letter(2))
    async with site(tmp_path, accounts.plain(server.imap, user, poll="0.2s")) as here, here.watching():
        await here.until(lambda: here.desk.seen.looked_at)
        assert here.rows() == []
        await asyncio.to_thread(server.append, user, letter(3))
        await here.until(lambda: here.ends() == ["kept"])
        assert here.rows()[0].message_id == "<3@home.example>"


async def test_a_restart_goes_on_where_the_cursor_is(server: Dovecot, user: str, tmp_path: Path) -> None:
    account = accounts.plain(server.imap, user)
    async with site(tmp_path, account) as here, here.watching():
        await here.until(lambda: here.desk.seen.looked_at)
    server.append(user, letter(1), letter(2))
    for _ in range(2):
        async with site(tmp_path, account) as here, here.watching():
            await here.until(lambda: here.ends() == ["kept"] * 2 and here.desk.seen.looked_at)


async def test_new_mail_is_found_although_somebody_read_it(server: Dovecot, user: str, tmp_path: Path) -> None:
    async with site(tmp_path, accounts.plain(server.imap, user)) as here:
        async with here.watching():
            await here.until(lambda: here.desk.seen.looked_at)
        server.append(user, letter(1), flags="(\\Seen \\Answered $Label)")
        uids(server, user)  # takes \Recent away, too
        async with here.watching():
            await here.until(lambda: here.ends() == ["kept"])
        assert here.rows()[0].flags == {"\\Seen", "\\Answered", "$Label"}


async def test_collecting_marks_nothing_as_read(server: Dovecot, user: str, tmp_path: Path) -> None:
    server.append(user, letter(1))
    async with site(tmp_path, accounts.plain(server.imap, user, start="all")) as here, here.watching():
        await here.until(lambda: here.ends() == ["kept"])
    assert flags(server, user) == [set()]


async def test_messages_of_all_sizes_come_byte_for_byte(server: Dovecot, user: str, tmp_path: Path) -> None:
    sizes = [0, 10, 70_000, 900_000, 1_100_000, 3_500_000]
    sent = [letter(number, b"line of text \xff {7}\r\n" * (size // 20)) for number, size in enumerate(sizes)]
    server.append(user, *sent)
    async with site(tmp_path, accounts.plain(server.imap, user, start="all")) as here:
        here.works = False
        async with here.watching():
            await here.until(lambda: len(here.rows(State.RECEIVED)) == len(sent))
        for row, content in zip(here.rows(), sent, strict=True):
            assert row.blob is not None
            held = here.ledger.content(row)
            if held is None:
                with here.spool.open(row.blob) as raw:
                    held = bytes(raw)
            assert held == content
            assert row.size == len(content)


async def test_a_message_over_the_limit_is_a_dead_letter_and_stays(server: Dovecot, user: str, tmp_path: Path) -> None:
    server.append(user, letter(1), letter(2, b"x" * 30_000), letter(3))
    account = accounts.plain(server.imap, user, start="all")
    async with site(tmp_path, account, MOVE, limits={"message": "20KB"}) as here, here.watching():
        await here.until(lambda: here.ends() == ["moved", "dead", "moved"])
        assert "limits.message" in (here.rows(State.DEAD)[0].error or "")
    assert 2 in uids(server, user)


async def test_hundreds_wait_while_there_is_no_room(server: Dovecot, user: str, tmp_path: Path) -> None:
    server.append(user, *(letter(number) for number in range(160)))
    account = accounts.plain(server.imap, user, start="all")
    async with site(tmp_path, account, MOVE, limits={"in-flight": 20}) as here:
        here.works = False
        async with here.watching():
            await here.until(lambda: len(here.rows()) >= 20)
            await here.until(lambda: here.desk.seen.connected)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(here.desk.room(), 0.5)
            assert len(here.rows()) <= 120  # two batches are on their way at most
            here.works = True
            here.work_off()
            await here.until(lambda: here.ends() == ["moved"] * 160)
    assert len(uids(server, user, "Done")) == 160


async def test_gaps_in_the_uids_are_crossed(server: Dovecot, user: str, tmp_path: Path) -> None:
    with server.client(user) as client:
        client.append("INBOX", "", "", letter(0))
        for _ in range(11):
            client.uid("COPY", "1:*", "INBOX")
        client.uid("STORE", "1:1500", "+FLAGS", "(\\Deleted)")
        client.expunge()
    async with site(tmp_path, accounts.plain(server.imap, user, start="all")) as here:
        async with here.watching():
            await here.until(lambda: len(here.rows(State.SETTLED)) == 548)
        keys = [row.source_key for row in here.rows()]
        assert len(set(keys)) == 548


async def test_a_settled_message_can_go_and_nothing_happens(server: Dovecot, user: str, tmp_path: Path) -> None:
    account = accounts.plain(server.imap, user, start="all", poll="0.2s", idle="0.5s")
    server.append(user, letter(1))
    async with site(tmp_path, account) as here, here.watching():
        await here.until(lambda: here.ends() == ["kept"])
        with server.client(user) as client:
            client.uid("STORE", "1", "+FLAGS", "(\\Deleted)")
            client.expunge()
        await asyncio.to_thread(server.append, user, letter(2))
        await here.until(lambda: here.ends() == ["kept", "kept"])


async def test_several_folders_share_few_connections(server: Dovecot, user: str, tmp_path: Path) -> None:
    names = ["INBOX", "a", "b", "c"]
    with server.client(user) as client:
        for name in names[1:]:
            client.create(name)
    account = accounts.plain(server.imap, user, folders=names, max_connections=2, poll="0.2s", start="all")
    async with site(tmp_path, account) as here, here.watching():
        for name in names:
            await asyncio.to_thread(server.append, user, letter(1), folder=name)
        await here.until(lambda: here.ends() == ["kept"] * 4)
        assert {row.folder for row in here.rows()} == set(names)


async def test_a_folder_that_is_missing_keeps_no_other_waiting(server: Dovecot, user: str, tmp_path: Path) -> None:
    account = accounts.plain(server.imap, user, folders=["Tpyo", "INBOX"], max_connections=1, start="all", poll="0.2s")
    server.append(user, letter(1))
    async with site(tmp_path, account) as here, here.watching():
        await here.until(lambda: here.ends() == ["kept"])
        assert "SELECT" in (here.desk.seen.refused or "")


# Settling


async def test_what_was_moved_is_moved(server: Dovecot, user: str, tmp_path: Path) -> None:
    server.append(user, *(letter(number) for number in range(120)))
    async with site(tmp_path, accounts.plain(server.imap, user, start="all"), MOVE) as here, here.watching():
        await here.until(lambda: here.ends() == ["moved"] * 120)
    assert len(uids(server, user, "Done")) == 120


async def test_foreign_messages_marked_deleted_are_still_there(server: Dovecot, user: str, tmp_path: Path) -> None:
    """An EXPUNGE without UIDs would delete somebody else's messages."""
    server.append(user, letter(1), flags="(\\Deleted)")
    account = accounts.plain(server.imap, user, poll="0.2s")
    for pipeline in (MOVE, DISCARD):
        directory = tmp_path / pipeline[-12:-3].strip("[{: ")
        directory.mkdir()
        async with site(directory, account, pipeline) as here, here.watching():
            await here.until(lambda: here.desk.seen.looked_at)
            await asyncio.to_thread(server.append, user, letter(2))
            await here.until(lambda: here.rows(State.SETTLED))
    assert uids(server, user)[0] == 1


async def test_without_uidplus_what_is_moved_stays_behind_marked(
    poor_dovecot: Dovecot, user: str, tmp_path: Path
) -> None:
    poor_dovecot.append(user, letter(1), letter(2))
    account = accounts.plain(poor_dovecot.imap, user, start="all")
    async with site(tmp_path, account, MOVE) as here, here.watching():
        await here.until(lambda: here.ends() == ["moved"] * 2)
    assert flags(poor_dovecot, user) == [{"\\Deleted"}, {"\\Deleted"}]
    assert len(uids(poor_dovecot, user, "Done")) == 2


async def test_what_is_discarded_is_gone_or_marked(server: Dovecot, user: str, tmp_path: Path) -> None:
    server.append(user, letter(1), letter(2))
    async with site(tmp_path, accounts.plain(server.imap, user, start="all"), DISCARD) as here, here.watching():
        await here.until(lambda: here.ends() == ["gone"] * 2)
    assert flags(server, user) in ([], [{"\\Deleted"}] * 2)


async def test_flags_are_added_and_taken_and_others_left(server: Dovecot, user: str, tmp_path: Path) -> None:
    server.append(user, letter(1), flags="(\\Flagged $Mine \\Answered)")
    rules = "rules: [{name: all, do: [{flag: [$Junk, \\Seen]}, {unflag: \\Flagged}]}]"
    async with site(tmp_path, accounts.plain(server.imap, user, start="all"), rules) as here, here.watching():
        await here.until(lambda: here.ends() == ["kept"])
    assert flags(server, user) == [{"$Junk", "\\Seen", "$Mine", "\\Answered"}]


async def test_copies_are_made_once_and_the_message_stays(server: Dovecot, user: str, tmp_path: Path) -> None:
    server.append(user, letter(1), letter(2))
    rules = "rules: [{name: all, do: [{copy: Kopien/für mich}, {copy: b}]}]"
    async with site(tmp_path, accounts.plain(server.imap, user, start="all"), rules) as here, here.watching():
        await here.until(lambda: here.ends() == ["kept"] * 2)
    with server.client(user) as client:
        names = b" ".join(client.list()[1])
    assert b"Kopien/f&APw-r mich" in names
    assert len(uids(server, user)) == 2
    assert len(uids(server, user, "b")) == 2
    assert len(uids(server, user, "Kopien/f&APw-r mich")) == 2


async def test_special_use_names_lead_to_the_servers_folder(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    dovecot.append(user, letter(1))
    rules = 'rules: [{name: all, do: [{move: "\\\\Junk"}]}]'
    async with site(tmp_path, accounts.plain(dovecot.imap, user, start="all"), rules) as here, here.watching():
        await here.until(lambda: here.ends() == ["moved"])
    assert len(uids(dovecot, user, "Junk")) == 1


async def test_a_folder_that_may_not_be_made_leaves_the_message_where_it_is(
    server: Dovecot, user: str, tmp_path: Path
) -> None:
    server.append(user, letter(1))
    account = accounts.plain(server.imap, user, start="all", create=False)
    async with site(tmp_path, account, MOVE) as here, here.watching():
        await here.until(lambda: here.ends() == ["dead"])
        assert "create" in (here.rows()[0].error or "")
    assert uids(server, user) == [1]


async def test_what_a_user_moved_away_meanwhile_has_vanished(server: Dovecot, user: str, tmp_path: Path) -> None:
    server.append(user, letter(1), letter(2))
    async with site(tmp_path, accounts.plain(server.imap, user, start="all"), MOVE) as here:
        here.works = False
        async with here.watching():
            await here.until(lambda: len(here.rows(State.RECEIVED)) == 2)
            with server.client(user) as client:
                client.uid("STORE", "1", "+FLAGS", "(\\Deleted)")
                client.expunge()
            here.work_off()
            await here.until(lambda: here.ends() == ["vanished", "moved"])
    assert len(uids(server, user, "Done")) == 1


@pytest.mark.parametrize(
    ("handled", "left"),
    [("leave", [set()]), ("seen", [{"\\Seen"}]), ("delete", []), ({"move": "Elsewhere"}, [])],
    ids=["leave", "seen", "delete", "move"],
)
async def test_what_lives_elsewhere_is_handled_as_the_settings_say(
    dovecot: Dovecot, user: str, tmp_path: Path, handled: object, left: list[set[str]]
) -> None:
    dovecot.append(user, letter(1))
    rules = f"rules: [{{name: all, do: [{{file: {tmp_path}/filed/}}]}}]"
    account = accounts.plain(dovecot.imap, user, start="all", handled=handled)
    async with site(tmp_path, account, rules) as here, here.watching():
        await here.until(lambda: here.ends() == ["gone"])
    assert flags(dovecot, user) == left
    if isinstance(handled, dict):
        assert len(uids(dovecot, user, "Elsewhere")) == 1


async def test_what_lives_elsewhere_may_stay_for_a_while(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    dovecot.append(user, letter(1))
    rules = f"rules: [{{name: all, do: [{{file: {tmp_path}/filed/}}]}}]"
    account = accounts.plain(dovecot.imap, user, start="all", handled="delete", keep_on_server="2s", poll="0.2s")
    async with site(tmp_path, account, rules) as here, here.watching():
        await here.until(lambda: here.ends() == ["done"])
        assert uids(dovecot, user) == [1]
        await here.until(lambda: here.desk.progress.ring() or here.ends() == ["gone"])
    assert uids(dovecot, user) == []


# Nothing of ours comes back as new


async def test_a_move_into_a_watched_folder_is_no_new_mail(server: Dovecot, user: str, tmp_path: Path) -> None:
    with server.client(user) as client:
        client.create("Done")
    server.append(user, *(letter(number) for number in range(20)))
    account = accounts.plain(server.imap, user, start="all", folders=["INBOX", "Done"], poll="0.2s")
    rules = "rules: [{name: all, when: {folder: INBOX}, do: [{move: Done}]}, {name: again, when: {folder: Done}, do: [{move: Twice}]}]"
    async with site(tmp_path, account, rules) as here, here.watching():
        await here.until(lambda: here.ends().count("moved") == 20 and here.ends().count("own") == 20)
        await asyncio.to_thread(server.append, user, letter(99), folder="Done")
        await here.until(lambda: here.ends().count("moved") == 21)
    assert len(uids(server, user, "Done")) - flags(server, user, "Done").count({"\\Deleted"}) == 20
    assert len(uids(server, user, "Twice")) == 1


async def test_a_changed_message_takes_the_place_of_its_original(server: Dovecot, user: str, tmp_path: Path) -> None:
    server.append(user, letter(1), flags="(\\Flagged)", date='"01-Feb-2024 03:04:05 +0000"')
    rules = 'rules: [{name: all, do: [{subject: {prefix: "[x] "}}, {flag: $Done}]}]'
    account = accounts.plain(server.imap, user, start="all", rewrite=True, poll="0.2s", idle="0.5s")
    async with site(tmp_path, account, rules) as here, here.watching():
        await here.until(lambda: here.ends() == ["kept", "own"])
    found = bodies(server, user)[-1]
    assert found.startswith(b"X-Postroom-Id: ")
    assert b"Subject: [x] letter 1\r\n" in found
    assert flags(server, user)[-1] == {"\\Flagged", "$Done"}
    with server.client(user) as client:
        date = client.uid("FETCH", "2", "(INTERNALDATE)")[1][0]
        assert b"01-Feb-2024" in date
    assert [one for one in flags(server, user) if "\\Deleted" not in one] == [{"\\Flagged", "$Done"}]


async def test_a_changed_message_moves_once(server: Dovecot, user: str, tmp_path: Path) -> None:
    server.append(user, letter(1))
    rules = 'rules: [{name: all, do: [{subject: {prefix: "[x] "}}, {move: Done}]}]'
    account = accounts.plain(server.imap, user, start="all", rewrite=True)
    async with site(tmp_path, account, rules) as here, here.watching():
        await here.until(lambda: here.ends() == ["moved"])
    assert [b"[x]" in body for body in bodies(server, user, "Done")] == [True]


async def test_a_marker_on_another_message_proves_nothing(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    dovecot.append(user, letter(1))
    rules = 'rules: [{name: all, do: [{subject: {prefix: "[x] "}}]}]'
    account = accounts.plain(dovecot.imap, user, start="all", rewrite=True, idle="0.5s")
    async with site(tmp_path, account, rules) as here, here.watching():
        await here.until(lambda: here.ends() == ["kept", "own"])
        forged = bodies(dovecot, user)[0].replace(b"hello", b"hullo")
        await asyncio.to_thread(dovecot.append, user, forged)
        await here.until(lambda: here.ends() == ["kept", "own", "kept"])


# Again


@pytest.mark.parametrize("rules", [MOVE, "rules: [{name: all, do: [{copy: Done}]}]"], ids=["move", "copy"])
async def test_a_settlement_whose_answer_was_lost_is_not_done_twice(
    server: Dovecot, user: str, tmp_path: Path, rules: str
) -> None:
    """Done at the server, not recorded: as after a crash just in between."""
    server.append(user, *(letter(number) for number in range(3)))
    account = accounts.plain(server.imap, user, start="all")
    async with site(tmp_path, account, rules) as here:
        here.works = False
        async with here.watching():
            await here.until(lambda: len(here.rows(State.RECEIVED)) == 3)
        here.work_off()
        with server.client(user) as client:
            client.create("Done")
            client.uid("COPY", "1:3", "Done")
            if rules == MOVE:
                client.uid("STORE", "1:3", "+FLAGS", "(\\Deleted)")
        async with here.watching():
            await here.until(lambda: len(here.rows(State.SETTLED)) == 3)
    # Where the server moves by itself, what is still there was never moved: those three copies are somebody else's.
    assert len(uids(server, user, "Done")) == (6 if rules == MOVE and moves_by_itself(server, user) else 3)


async def test_a_move_whose_answer_was_lost_is_known_to_be_ours(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    """Equal messages, each moved by an earlier try, but for one that the user deleted."""
    dovecot.append(user, letter(1), letter(1), letter(1))
    async with site(tmp_path, accounts.plain(dovecot.imap, user, start="all"), MOVE) as here:
        here.works = False
        async with here.watching():
            await here.until(lambda: len(here.rows(State.RECEIVED)) == 3)
        here.work_off()
        with dovecot.client(user) as client:
            client.create("Done")
            client.uid("MOVE", "1", "Done")
            client.uid("STORE", "2", "+FLAGS", "(\\Deleted)")
            client.expunge()
        async with here.watching():
            await here.until(lambda: len(here.rows(State.SETTLED)) == 3)
    assert len(uids(dovecot, user, "Done")) == 2
    assert uids(dovecot, user) == []


async def test_a_rewrite_whose_answer_was_lost_is_not_done_twice(server: Dovecot, user: str, tmp_path: Path) -> None:
    server.append(user, letter(1))
    rules = 'rules: [{name: all, do: [{subject: {prefix: "[x] "}}, {move: Done}]}]'
    account = accounts.plain(server.imap, user, start="all", rewrite=True)
    async with site(tmp_path, account, rules) as here:
        here.works = False
        async with here.watching():
            await here.until(lambda: len(here.rows(State.RECEIVED)) == 1)
        here.work_off()
        ours = markers.line(here.desk, here.rows()[0].key, hashlib.sha256(CHANGED).hexdigest()) + CHANGED
        with server.client(user) as client:
            client.create("Done")
            client.append("Done", "", "", ours)
        async with here.watching():
            await here.until(lambda: here.ends() == ["moved"])
    assert len(uids(server, user, "Done")) == 1


async def test_a_strangers_message_that_bears_our_mark_stands_for_no_rewrite(
    server: Dovecot, user: str, tmp_path: Path
) -> None:
    server.append(user, letter(1))
    rules = 'rules: [{name: all, do: [{subject: {prefix: "[x] "}}, {move: Done}]}]'
    account = accounts.plain(server.imap, user, start="all", rewrite=True)
    async with site(tmp_path, account, rules) as here:
        here.works = False
        async with here.watching():
            await here.until(lambda: len(here.rows(State.RECEIVED)) == 1)
        here.work_off()
        ours = markers.line(here.desk, here.rows()[0].key, hashlib.sha256(CHANGED).hexdigest())
        with server.client(user) as client:
            client.create("Done")
            client.append("Done", "", "", ours + b"Subject: another\r\n\r\nforged\r\n")
        async with here.watching():
            await here.until(lambda: here.ends() == ["moved"])
    assert len(uids(server, user, "Done")) == 2


# UIDVALIDITY


def make_anew(server: Dovecot, user: str) -> None:
    """Another program makes the folder Box anew, with the same messages: other UIDs, another UIDVALIDITY."""
    with server.client(user) as client:
        assert client.rename("Box", "Old")[0] == "OK"
        client.create("Box")
        client.select("Old")
        if client.uid("SEARCH", "ALL")[1][0]:
            assert client.uid("COPY", "1:*", "Box")[0] == "OK"
        client.select("INBOX")
        client.delete("Old")


def box(server: Dovecot, user: str, *messages: bytes) -> None:
    with server.client(user) as client:
        client.create("Box")
    server.append(user, *messages, folder="Box")


async def test_after_a_change_of_uidvalidity_only_unknown_messages_are_new(
    server: Dovecot, user: str, tmp_path: Path
) -> None:
    account = accounts.plain(server.imap, user, start="all", folders=["Box"])
    box(server, user, letter(1), letter(2))
    async with site(tmp_path, account) as here, here.watching():
        await here.until(lambda: here.ends() == ["kept", "kept"])
    make_anew(server, user)
    server.append(user, letter(3), folder="Box")
    async with site(tmp_path, account) as here, here.watching():
        await here.until(lambda: here.ends() == ["kept"] * 3)
        keys = {row.source_key.split("/")[1] for row in here.rows()}
        assert len(keys) == 2


async def test_unsettled_messages_are_found_again_by_their_contents(server: Dovecot, user: str, tmp_path: Path) -> None:
    account = accounts.plain(server.imap, user, start="all", folders=["Box"])
    box(server, user, letter(1), letter(2))
    async with site(tmp_path, account, MOVE) as here:
        here.works = False
        async with here.watching():
            await here.until(lambda: len(here.rows(State.RECEIVED)) == 2)
        here.work_off()
        with server.client(user, "Box") as client:
            client.uid("STORE", "1", "+FLAGS", "(\\Deleted)")
            client.expunge()
        make_anew(server, user)
        async with here.watching():
            await here.until(lambda: here.ends() == ["vanished", "moved"])
    assert len(uids(server, user, "Done")) == 1


@pytest.mark.parametrize(("decision", "end"), [("take", ["kept"] * 4), ("skip", ["kept"])])
async def test_a_surprise_waits_for_a_person(
    dovecot: Dovecot, user: str, tmp_path: Path, decision: str, end: list[str]
) -> None:
    account = accounts.plain(dovecot.imap, user, start="all", folders=["Box"], surprise_limit=2, idle="0.5s")
    box(dovecot, user, letter(1))
    async with site(tmp_path, account) as here:
        async with here.watching():
            await here.until(lambda: here.ends() == ["kept"])
        make_anew(dovecot, user)
        dovecot.append(user, letter(2), letter(3), letter(4), folder="Box")
        async with here.watching():
            await here.until(lambda: here.desk.seen.paused)
            assert "surprise-limit" in (here.desk.seen.paused or "")
            assert here.ends() == ["kept"]
            here.ledger.decide("box", decision)  # type: ignore[arg-type]
            await here.until(lambda: not here.desk.seen.paused and here.ends() == end)
            await asyncio.to_thread(dovecot.append, user, letter(5), folder="Box")
            await here.until(lambda: here.ends() == [*end, "kept"])


# Others


async def test_messages_of_a_folder_that_is_watched_no_more_are_settled(
    server: Dovecot, user: str, tmp_path: Path
) -> None:
    with server.client(user) as client:
        client.create("Old")
    server.append(user, letter(1), folder="Old")
    async with site(tmp_path, accounts.plain(server.imap, user, start="all", folders=["Old"]), MOVE) as here:
        here.works = False
        async with here.watching():
            await here.until(lambda: len(here.rows(State.RECEIVED)) == 1)
        here.work_off()
    async with site(tmp_path, accounts.plain(server.imap, user, poll="0.2s"), MOVE) as here, here.watching():
        await here.until(lambda: here.desk.progress.ring() or here.ends() == ["moved"])
    assert len(uids(server, user, "Done")) == 1


async def test_a_refused_login_is_told_and_not_tried_again_at_once(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    async with site(tmp_path, accounts.plain(dovecot.imap, user, password="wrong")) as here, here.watching():
        await here.until(lambda: here.desk.seen.refused)
        assert "refused" in (here.desk.seen.refused or "")
    assert dovecot.log.count(f"user=<{user}>") <= 2


# Old mail on demand


async def test_old_mail_is_taken_when_somebody_asks_and_only_once(server: Dovecot, user: str, tmp_path: Path) -> None:
    server.append(user, letter(1), letter(2, b"x" * 100_000), letter(3))
    account = accounts.plain(server.imap, user)
    async with site(tmp_path, account) as here:
        async with here.watching():
            await here.until(lambda: here.desk.seen.looked_at)
        server.append(user, letter(4))
        told: list[Progress] = []
        counted = await Backfill(account=account, desk=here.desk, folder="INBOX", dry_run=True).run()
        assert (counted.found, counted.taken, here.rows()) == (3, 0, [])
        taken = await Backfill(account=account, desk=here.desk, folder="INBOX", told=told.append).run()
        assert (taken.found, taken.taken, taken.seen, taken.total) == (3, 3, 3, 3)
        assert told[-1] == taken
        again = await Backfill(account=account, desk=here.desk, folder="INBOX").run()
        assert (again.found, again.taken) == (0, 0)
        await here.until(lambda: here.ends() == ["kept"] * 3)
        async with here.watching():
            await here.until(lambda: here.ends() == ["kept"] * 4)


async def test_old_mail_can_be_recorded_without_doing_anything(server: Dovecot, user: str, tmp_path: Path) -> None:
    server.append(user, letter(1), date='"01-Feb-2020 03:04:05 +0000"')
    server.append(user, letter(2), date='"01-Feb-2024 03:04:05 +0000"')
    account = accounts.plain(server.imap, user)
    async with site(tmp_path, account, MOVE) as here:
        since = datetime(2022, 1, 1, tzinfo=UTC)
        done = await Backfill(account=account, desk=here.desk, folder="INBOX", since=since, no_effects=True).run()
        assert (done.found, done.taken) == (1, 1)
        assert here.ends() == ["kept"]
        assert here.rung == []
    assert uids(server, user) == [1, 2]


# Killed anywhere


@pytest.mark.parametrize("seed", range(3))
async def test_a_source_that_is_stopped_anywhere_loses_nothing_and_moves_all_once(
    server: Dovecot, user: str, tmp_path: Path, seed: int
) -> None:
    server.append(user, *(letter(number) for number in range(60)), letter(60, b"x" * 1_500_000))
    chance = random.Random(seed)
    account = accounts.plain(server.imap, user, start="all")
    rules = "rules: [{name: all, do: [{copy: Copies}, {flag: $Seen}, {move: Done}]}]"
    for _ in range(12):
        async with site(tmp_path, account, rules, limits={"in-flight": 25}) as here, here.watching():
            await asyncio.sleep(chance.uniform(0.02, 0.25))
    async with site(tmp_path, account, rules) as here, here.watching():
        here.work_off()
        await here.until(lambda: len(here.ends()) == 61 and set(here.ends()) <= {"moved", "vanished"})
    for folder in ("Done", "Copies"):
        found = [re.search(rb"letter (\d+)", body)[1] for body in bodies(server, user, folder)]  # type: ignore[index]
        assert sorted(map(int, found)) == list(range(61))


async def test_folders_are_not_made_without_end(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    """Names can come from messages."""
    dovecot.append(user, *(letter(number) for number in range(110)))
    rules = 'rules: [{name: all, do: [{move: "by/{{ subject }}"}]}]'
    async with site(tmp_path, accounts.plain(dovecot.imap, user, start="all"), rules) as here, here.watching():
        await here.until(lambda: here.ends().count("moved") == 100 and len(here.rows(State.DONE)) == 10)
        await here.until(lambda: all("tomorrow" in (row.error or "") for row in here.rows(State.DONE)))
    assert len(uids(dovecot, user)) == 10
