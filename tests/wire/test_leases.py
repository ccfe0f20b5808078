"""Leases of one process, which are renewed together."""

import asyncio
from datetime import timedelta
from pathlib import Path

from postroom.errors import PostroomError
from postroom.ledger import Owner
from postroom.ledger.statements import sql
from postroom.settings.mailboxes import ImapMailbox
from postroom.watch import LEASE, Leases
from wire.sites import site

ACCOUNT = ImapMailbox.model_validate({"url": "imaps://me@imap.example", "password": "x"})


async def test_each_of_many_renewals_hears_whether_its_own_lease_is_held(tmp_path: Path) -> None:
    async with site(tmp_path, ACCOUNT) as made:
        office, leases = made.desk._office, Leases()
        names = [f"mailbox {number}" for number in range(20)]
        owners = [office.owner if number % 2 else Owner.current() for number in range(20)]
        for name, owner in zip(names, owners, strict=True):
            assert made.ledger.lease(name, owner, LEASE)
        for _ in range(2):
            answers = await asyncio.gather(*(leases.renew(name, office) for name in names))
            assert answers == [number % 2 == 1 for number in range(20)]


async def test_who_gave_up_waiting_for_a_renewal_keeps_none_from_others(tmp_path: Path) -> None:
    async with site(tmp_path, ACCOUNT) as made:
        office, leases = made.desk._office, Leases()
        assert made.ledger.lease("mailbox one", office.owner, timedelta(minutes=1))
        left = asyncio.create_task(leases.renew("mailbox two", office))
        held = asyncio.create_task(leases.renew("mailbox one", office))
        await asyncio.sleep(0)
        left.cancel()
        assert await held
        assert left.cancelled()


async def test_a_ledger_that_is_away_is_told_to_all_who_renew(tmp_path: Path) -> None:
    async with site(tmp_path, ACCOUNT) as made:
        office, leases = made.desk._office, Leases()
        with made.ledger._database.writing() as connection:
            connection.run(sql("ALTER TABLE lease RENAME TO gone"))
        answers = await asyncio.gather(*(leases.renew(str(n), office) for n in range(3)), return_exceptions=True)
        assert [isinstance(answer, PostroomError) for answer in answers] == [True] * 3
        with made.ledger._database.writing() as connection:
            connection.run(sql("ALTER TABLE gone RENAME TO lease"))
        assert not await leases.renew("1", office)
