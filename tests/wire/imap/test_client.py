"""The IMAP client against Dovecot: encryption, login, names, literals, many lines, IDLE."""

import asyncio
from pathlib import Path

import pytest

from postroom.settings.mailboxes import ImapMailbox
from postroom.sources.imap.connection import Imap
from postroom.sources.imap.fetched import fetched
from postroom.sources.imap.signal import Signal
from postroom.sources.losses import LoginRefused, Lost
from servers import accounts
from servers.dovecot import POOR, Dovecot, token

MESSAGE = b"Subject: hello\r\n\r\nbody\r\n"


async def select(imap: Imap, folder: str = "INBOX") -> None:
    (await imap.call("SELECT", imap.naming.written(folder))).require()


async def folders(account: ImapMailbox) -> int:
    async with await Imap.open(account) as imap:
        return len(list((await imap.call("LIST", '""', '"*"')).named("LIST")))


@pytest.mark.parametrize("way", [accounts.encrypted, accounts.starttls])
async def test_it_logs_in_over_tls(dovecot: Dovecot, user: str, way: accounts.Way) -> None:
    assert await folders(way(dovecot, user)) >= 1


@pytest.mark.parametrize("auth", ["auto", "plain", "login"])
async def test_it_logs_in_with_a_password(dovecot: Dovecot, user: str, auth: str) -> None:
    assert await folders(accounts.encrypted(dovecot, user, auth=auth)) >= 1


@pytest.mark.parametrize("auth", ["xoauth2", "oauthbearer"])
async def test_it_logs_in_with_an_access_token(dovecot: Dovecot, user: str, auth: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(token(user))
    assert await folders(accounts.encrypted(dovecot, user, auth=auth, token_file=tmp_path / "token")) >= 1


async def test_it_logs_in_with_what_a_program_prints(dovecot: Dovecot, user: str) -> None:
    command = ["printf", "%s", token(user)]
    assert await folders(accounts.encrypted(dovecot, user, auth="xoauth2", token_command=command)) >= 1


async def test_a_server_without_anything_is_enough(poor_dovecot: Dovecot, user: str) -> None:
    assert POOR
    async with await Imap.open(accounts.plain(poor_dovecot.imap, user)) as imap:
        assert imap.capabilities == {"IMAP4REV1"}
        await select(imap)


@pytest.mark.parametrize("auth", ["plain", "login"])
async def test_a_wrong_password_is_a_refusal_and_no_broken_network(dovecot: Dovecot, user: str, auth: str) -> None:
    with pytest.raises(LoginRefused, match="AUTHENTICATIONFAILED") as caught:
        await Imap.open(accounts.encrypted(dovecot, user, auth=auth, password="wr0ng"))
    assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize(("auth", "reason"), [("xoauth2", "status 401"), ("oauthbearer", "status invalid_token")])
async def test_a_stale_token_is_refused_with_the_servers_reason(
    dovecot: Dovecot, user: str, auth: str, reason: str, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(token(user, lifetime=-100))
    with pytest.raises(LoginRefused, match=reason):
        await Imap.open(accounts.encrypted(dovecot, user, auth=auth, token_file=tmp_path / "token"))


async def test_a_certificate_that_nobody_vouches_for_is_not_taken(dovecot: Dovecot, user: str) -> None:
    with pytest.raises(Lost, match="tls-ca") as caught:
        await Imap.open(accounts.encrypted(dovecot, user, tls_ca=None))
    assert caught.value.reason == "tls"


async def test_nobody_listening_is_a_broken_network(dovecot: Dovecot) -> None:
    with pytest.raises(Lost) as caught:
        await Imap.open(accounts.plain(1, "user"))
    assert caught.value.reason == "network"


@pytest.mark.parametrize("name", ['Entwürfe & "x" * 日本', "back\\slash", "sp ace/in ner", "{7}", "foo* bar"])
async def test_any_name_can_be_made_selected_and_listed(dovecot: Dovecot, user: str, name: str) -> None:
    async with await Imap.open(accounts.plain(dovecot.imap, user)) as imap:
        (await imap.call("CREATE", imap.naming.written(name))).require()
        await select(imap, name)
        names = [data.values()[2] for data in (await imap.call("LIST", '""', '"*"')).named("LIST")]
    assert name in [imap.naming.read(found) for found in names if isinstance(found, bytes)]


async def test_a_line_break_in_an_argument_sends_nothing(dovecot: Dovecot, user: str) -> None:
    async with await Imap.open(accounts.plain(dovecot.imap, user)) as imap:
        with pytest.raises(ValueError, match="CR and LF"):
            await imap.call("SELECT", imap.naming.written("a") + "\r\nA1 LOGOUT")


async def test_what_is_appended_comes_back_byte_for_byte_with_flags_and_date(dovecot: Dovecot, user: str) -> None:
    content = [b"Subject: big\r\n\r\n", memoryview(b"\x00\xff line {7}\r\n" * 100_000)[10:]]
    async with await Imap.open(accounts.encrypted(dovecot, user)) as imap:
        reply = await imap.append('"INBOX"', content, flags=["\\Seen", "$Junk"], date=b"01-Feb-2024 03:04:05 +0100")
        appended = reply.require().appended()
        await select(imap)
        told = fetched((await imap.call("UID", "FETCH", "1", "(FLAGS INTERNALDATE BODY.PEEK[])")).require().data)[1]
    assert appended is not None
    assert appended[1] == 1
    assert told.body == b"".join(content).replace(b"\x00", b"\x80")  # Dovecot stores no NUL
    assert told.flags is not None
    assert {"\\Seen", "$Junk"} <= told.flags
    assert told.arrived is not None
    assert told.arrived.hour == 2


async def test_thousands_of_lines_in_one_answer_are_read(dovecot: Dovecot, user: str) -> None:
    dovecot.append(user, MESSAGE)
    async with await Imap.open(accounts.plain(dovecot.imap, user)) as imap:
        await select(imap)
        for _ in range(11):  # 2,048 copies
            (await imap.call("UID", "COPY", "1:*", '"INBOX"')).require()
        told = fetched((await imap.call("UID", "FETCH", "1:*", "(UID FLAGS RFC822.SIZE)")).require().data)
    assert len(told) == 2048


async def test_many_tasks_share_a_connection_one_command_after_the_other(dovecot: Dovecot, user: str) -> None:
    dovecot.append(user, MESSAGE)
    async with await Imap.open(accounts.plain(dovecot.imap, user)) as imap:
        await select(imap)
        replies = await asyncio.gather(*(imap.call("UID", "FETCH", "1", "(BODY.PEEK[])") for _ in range(19)))
    assert all(fetched(reply.data)[1].body == MESSAGE for reply in replies)


async def test_idle_ends_with_a_push(dovecot: Dovecot, user: str) -> None:
    attention = Signal()
    async with await Imap.open(accounts.encrypted(dovecot, user)) as imap:
        await select(imap)
        imap.listen(lambda _: attention.set())
        idling = asyncio.create_task(imap.idle(attention, 60))
        await asyncio.to_thread(dovecot.append, user, MESSAGE)
        await asyncio.wait_for(idling, 60)
        told = fetched((await imap.call("UID", "FETCH", "1:*", "(UID)")).require().data)
    assert set(told) == {1}


async def test_idle_ends_by_itself(dovecot: Dovecot, user: str) -> None:
    async with await Imap.open(accounts.plain(dovecot.imap, user)) as imap:
        await select(imap)
        await imap.idle(Signal(), 0.05)
        (await imap.call("NOOP")).require()


async def test_a_command_that_is_cancelled_takes_its_connection_with_it(dovecot: Dovecot, user: str) -> None:
    async with await Imap.open(accounts.plain(dovecot.imap, user)) as imap:
        await select(imap)
        idling = asyncio.create_task(imap.idle(Signal(), 60))
        await asyncio.sleep(0)
        idling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await idling
        with pytest.raises(Lost):
            await imap.call("NOOP")
