"""Leases of one process, which are renewed together."""

from datetime import timedelta
from pathlib import Path

from postroom.ledger import Owner
from postroom.ledger.statements import sql
from postroom.settings.mailboxes import ImapMailbox
from postroom.watch import LEASE, Leases
from wire.sites import site

ACCOUNT = ImapMailbox.model_validate({"url": "imaps://me@imap.example", "password": "x"})


async def test_each_of_many_hears_when_its_own_lease_is_lost(tmp_path: Path) -> None:
    async with site(tmp_path, ACCOUNT) as made:
        office, leases = made.desk._office, Leases()
        names = [f"mailbox {number}" for number in range(20)]
        owners = [office.owner if number % 2 else Owner.current() for number in range(20)]
        for name, owner in zip(names, owners, strict=True):
            assert made.ledger.lease(name, owner, LEASE)
        lost = [leases.keep(name, office) for name in names]
        for _ in range(2):
            await leases.renew(office)
            assert [one.done() for one in lost] == [number % 2 == 0 for number in range(20)]


async def test_a_lease_that_nobody_wants_any_more_is_left_to_others(tmp_path: Path) -> None:
    async with site(tmp_path, ACCOUNT) as made:
        office, leases = made.desk._office, Leases()
        for name in ("one", "two"):
            assert made.ledger.lease(name, office.owner, timedelta(seconds=1))
        one, two = leases.keep("one", office), leases.keep("two", office)
        two.cancel()
        await leases.renew(office)
        with made.ledger._database.reading() as connection:
            until = {row["name"]: row["until"] for row in connection.rows(sql("SELECT name, until FROM lease"))}
        assert until["one"] > until["two"] + 30_000_000
        assert not one.done()


async def test_a_ledger_that_is_away_costs_no_lease_before_its_time_is_over(tmp_path: Path) -> None:
    async with site(tmp_path, ACCOUNT) as made:
        office, leases = made.desk._office, Leases()
        assert made.ledger.lease("one", office.owner, LEASE)
        lost = leases.keep("one", office)
        with made.ledger._database.writing() as connection:
            connection.run(sql("ALTER TABLE lease RENAME TO gone"))
        await leases.renew(office)
        assert not lost.done()
        leases._held["one"].until = 0.0
        await leases.renew(office)
        assert lost.done()
