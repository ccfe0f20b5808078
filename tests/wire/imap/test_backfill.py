"""Old mail on demand."""

from datetime import UTC, datetime
from pathlib import Path

from postroom.sources.imap.backfill import Backfill, Progress
from servers import accounts
from servers.dovecot import Dovecot
from wire.imap.boxes import MOVE, letter, uids
from wire.sites import site


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
