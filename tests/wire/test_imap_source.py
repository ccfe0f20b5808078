"""IMAP as a source, at its real desk, against Dovecot: with all that it can, and with nothing but IMAP4rev1."""

import asyncio
from pathlib import Path

import pytest

from postroom.ledger import State
from servers import accounts
from servers.dovecot import Dovecot
from wire.sites import site

MOVE = "rules: [{name: all, do: [{move: Done}]}]"


def letter(number: int, body: bytes = b"hello") -> bytes:
    return b"From: jane@home.example\r\nSubject: letter %d\r\nMessage-ID: <%d@home.example>\r\n\r\n%s\r\n" % (
        number,
        number,
        body,
    )


def uids(server: Dovecot, user: str, folder: str = "INBOX") -> list[int]:
    with server.client(user, folder) as client:
        return [int(uid) for uid in client.uid("SEARCH", "ALL")[1][0].split()]


@pytest.fixture(params=["full", "poor"])
def server(request: pytest.FixtureRequest) -> Dovecot:
    """Dovecot with all that it can, and with IMAP4rev1 only."""
    found: Dovecot = request.getfixturevalue("dovecot" if request.param == "full" else "poor_dovecot")
    return found


async def test_old_mail_is_left_alone_and_new_mail_comes_in(server: Dovecot, user: str, tmp_path: Path) -> None:
    server.append(user, letter(1), letter(2))
    async with site(tmp_path, accounts.plain(server.imap, user, poll="0.2s")) as here, here.watching():
        await here.until(lambda: here.desk.seen.looked_at)
        assert here.rows() == []
        await asyncio.to_thread(server.append, user, letter(3))
        await here.until(lambda: here.ends() == ["kept"])
        assert here.rows()[0].message_id == "<3@home.example>"


async def test_what_was_moved_is_moved(server: Dovecot, user: str, tmp_path: Path) -> None:
    server.append(user, *(letter(number) for number in range(120)))
    async with site(tmp_path, accounts.plain(server.imap, user, start="all"), MOVE) as here, here.watching():
        await here.until(lambda: here.ends() == ["moved"] * 120)
    assert len(uids(server, user, "Done")) == 120
    assert len(here.rows(State.SETTLED)) == 120
