"""IMAP as a source, at its real desk, against Dovecot with all that it can and with nothing but IMAP4rev1: what comes in."""

import asyncio
from pathlib import Path

import pytest

from postroom.ledger import State
from servers import accounts
from servers.dovecot import Dovecot
from wire.imap.boxes import MOVE, flags, letter, uids
from wire.sites import site


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


async def test_a_refused_login_is_told_and_not_tried_again_at_once(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    async with site(tmp_path, accounts.plain(dovecot.imap, user, password="wrong")) as here, here.watching():
        await here.until(lambda: here.desk.seen.refused)
        assert "refused" in (here.desk.seen.refused or "")
    assert dovecot.log.count(f"user=<{user}>") <= 2
