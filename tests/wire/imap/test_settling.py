"""What becomes of messages on Dovecot once they are done: moved, copied, flagged, deleted; and nothing of others'."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from postroom.ledger import State
from postroom.ledger.statements import sql
from servers import accounts
from servers.dovecot import Dovecot
from wire.imap.boxes import DISCARD, MOVE, flags, letter, uids
from wire.sites import site


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
    kept = accounts.plain(dovecot.imap, user, start="all", handled="delete", keep_on_server="1h")
    async with site(tmp_path, kept, rules) as here, here.watching():
        await here.until(lambda: here.rows(State.DONE) and here.rows()[0].next_try_at)
        assert uids(dovecot, user) == [1]
    kept_no_longer = accounts.plain(dovecot.imap, user, start="all", handled="delete", keep_on_server="1s")
    async with site(tmp_path, kept_no_longer, rules) as here:
        with here.ledger._database.writing() as connection:
            connection.run(sql("UPDATE message SET next_try_at = 0"))  # as if an hour had passed
        async with here.watching():
            await here.until(lambda: here.desk.progress.ring() or here.ends() == ["gone"])
    assert uids(dovecot, user) == []


async def test_messages_of_a_folder_that_is_watched_no_more_are_settled(
    server: Dovecot, user: str, tmp_path: Path
) -> None:
    with server.client(user) as client:
        client.create("Old")
    server.append(user, letter(1), folder="Old")
    async with site(tmp_path, accounts.plain(server.imap, user, start="all", folders=["Old"]), MOVE) as here:
        await here.bring(1)
    async with site(tmp_path, accounts.plain(server.imap, user, poll="0.2s"), MOVE) as here, here.watching():
        await here.until(lambda: here.desk.progress.ring() or here.ends() == ["moved"])
    assert len(uids(server, user, "Done")) == 1


async def test_folders_are_not_made_without_end(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    """Names can come from messages."""
    day = datetime.now(UTC).date()
    dovecot.append(user, *(letter(number) for number in range(110)))
    rules = 'rules: [{name: all, do: [{move: "by/{{ subject }}"}]}]'
    async with site(tmp_path, accounts.plain(dovecot.imap, user, start="all"), rules) as here, here.watching():
        await here.until(lambda: here.ends().count("moved") + here.ends().count("done") == 110)
        await here.until(lambda: all("tomorrow" in (row.error or "") for row in here.rows(State.DONE)))
        if datetime.now(UTC).date() == day:  # else there is another day's worth of them
            assert here.ends().count("moved") == 100
        assert len(uids(dovecot, user)) == here.ends().count("done")
