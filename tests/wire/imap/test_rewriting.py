"""A changed message takes the place of its original, once; and nothing of ours comes back as new."""

import asyncio
import hashlib
from pathlib import Path

from postroom.sources.imap import markers
from servers import accounts
from servers.dovecot import Dovecot
from wire.imap.boxes import MARK, bodies, flags, letter, uids
from wire.sites import site

CHANGED = b"Subject: [x] hello\r\n\r\nhello\r\n"  # a message of ours, whatever it was made of


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
    account = accounts.plain(server.imap, user, start="all", rewrite=True)
    async with site(tmp_path, account, MARK) as here, here.watching():
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


async def test_a_rewrite_whose_answer_was_lost_is_not_done_twice(server: Dovecot, user: str, tmp_path: Path) -> None:
    server.append(user, letter(1))
    account = accounts.plain(server.imap, user, start="all", rewrite=True)
    async with site(tmp_path, account, MARK) as here:
        await here.bring(1)
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
    account = accounts.plain(server.imap, user, start="all", rewrite=True)
    async with site(tmp_path, account, MARK) as here:
        await here.bring(1)
        ours = markers.line(here.desk, here.rows()[0].key, hashlib.sha256(CHANGED).hexdigest())
        with server.client(user) as client:
            client.create("Done")
            client.append("Done", "", "", ours + b"Subject: another\r\n\r\nforged\r\n")
        async with here.watching():
            await here.until(lambda: here.ends() == ["moved"])
    assert len(uids(server, user, "Done")) == 2
