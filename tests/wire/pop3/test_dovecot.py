"""POP3 as Dovecot speaks it: TLS, logins, bytes, removal."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from desks import MemoryDesk, running
from postroom.settings.mailboxes import Pop3Mailbox
from postroom.sources.pop3.source import Pop3Source
from servers.dovecot import PASSWORD, Dovecot, token

LETTERS = [b"Message-ID: <%d@x>\r\nSubject: %d\r\n\r\n.dots\r\n..\r\nbody\r\n" % (n, n) for n in range(250)]


@pytest.fixture
def desk(tmp_path: Path) -> MemoryDesk:
    return MemoryDesk(tmp_path)


def options_of(dovecot: Dovecot, user: str, **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "url": f"pop3s://127.0.0.1:{dovecot.pop3s}", "user": user, "tls-ca": str(dovecot.ca), "start": "all",
        "poll": "1s", "timeout": "20s",
    }  # fmt: skip
    return given | more


@asynccontextmanager
async def visiting(desk: MemoryDesk, options: dict[str, Any]) -> AsyncIterator[None]:
    async with running(Pop3Source(Pop3Mailbox.model_validate(options)), desk):
        yield


async def test_a_mailbox_is_emptied_over_tls_and_every_message_taken_once(
    dovecot: Dovecot, user: str, desk: MemoryDesk
) -> None:
    dovecot.append(user, *LETTERS)
    desk.finishes = lambda arrival: {"place": "gone"}
    async with visiting(desk, options_of(dovecot, user, password=PASSWORD)):
        await desk.until(lambda: len(desk.answers) == len(LETTERS))
    assert desk.bodies == LETTERS
    with dovecot.client(user) as client:
        assert client.search(None, "ALL") == ("OK", [b""])


async def test_stls_protects_the_plain_port(dovecot: Dovecot, user: str, desk: MemoryDesk) -> None:
    dovecot.append(user, LETTERS[0])
    options = options_of(dovecot, user, password=PASSWORD, url=f"pop3://127.0.0.1:{dovecot.pop3}")
    async with visiting(desk, options):
        await desk.until(lambda: desk.bodies)
    assert desk.bodies == LETTERS[:1]
    assert f"user=<{user}>" in dovecot.log
    assert [line for line in dovecot.log.splitlines() if f"<{user}>" in line and "pop3-login" in line and "TLS" in line]


@pytest.mark.parametrize("auth", ["auto", "plain", "login", "xoauth2", "oauthbearer"])
async def test_it_logs_in_every_way(dovecot: Dovecot, user: str, desk: MemoryDesk, auth: str) -> None:
    secret: dict[str, Any] = {"password": PASSWORD}
    if "oauth" in auth:
        secret = {"token-command": [sys.executable, "-c", f"print({token(user)!r})"]}
    async with visiting(desk, options_of(dovecot, user, auth=auth, **secret)):
        await desk.until(lambda: desk.events)
    assert desk.events[0] == "connected"


@pytest.mark.parametrize("auth", ["plain", "xoauth2"])
async def test_a_refused_login_is_told_and_not_repeated_soon(
    dovecot: Dovecot, user: str, desk: MemoryDesk, auth: str
) -> None:
    secret: dict[str, Any] = {"password": "wrong"}
    if auth == "xoauth2":
        secret = {"token-command": [sys.executable, "-c", f"print({token('somebody-else')!r})"]}
    async with visiting(desk, options_of(dovecot, user, auth=auth, **secret)):
        await desk.until(lambda: desk.events)
    assert desk.events[0].startswith("refused: the login is refused")


async def test_a_long_message_comes_as_it_is(dovecot: Dovecot, user: str, tmp_path: Path) -> None:
    desk = MemoryDesk(tmp_path, largest=30_000_000)
    raw = b"Subject: long\r\n\r\n" + (b"." + b"x" * 5000 + b"\r\n") * 4000
    dovecot.append(user, raw, LETTERS[0])
    async with visiting(desk, options_of(dovecot, user, password=PASSWORD)):
        await desk.until(lambda: len(desk.bodies) == 2)
    assert desk.bodies == [raw, LETTERS[0]]


async def test_mail_that_comes_later_is_found_at_the_next_visit(dovecot: Dovecot, user: str, desk: MemoryDesk) -> None:
    dovecot.append(user, LETTERS[0])
    async with visiting(desk, options_of(dovecot, user, password=PASSWORD, start="now")):
        await desk.until(lambda: "looked" in desk.events)
        dovecot.append(user, LETTERS[1])
        await desk.until(lambda: desk.bodies)
    assert desk.bodies == [LETTERS[1]]
    with dovecot.client(user) as client:
        assert client.search(None, "ALL") == ("OK", [b"1 2"])
