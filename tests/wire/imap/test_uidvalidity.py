"""A folder that was made anew has other UIDs for the same messages (UIDVALIDITY)."""

import asyncio
from pathlib import Path

import pytest

from servers import accounts
from servers.dovecot import Dovecot
from wire.imap.boxes import MOVE, letter, uids
from wire.sites import site


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
        await here.bring(2)
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
