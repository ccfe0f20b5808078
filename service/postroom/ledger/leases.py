"""Leases by name: which process watches a mailbox. They expire by the database's clock."""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import BigInteger, cast, or_, select, update

from postroom.ledger.columns import clean, span
from postroom.ledger.database import Database, Now, excluded
from postroom.ledger.owner import Owner, is_gone
from postroom.ledger.tables import lease

AT_ONCE = 500  # names in one statement


def take(database: Database, name: str, owner: Owner, period: timedelta) -> bool:
    """Take or prolong the lease; a period of zero gives it up. One whose process is gone is taken at once."""
    until = Now() + cast(span(period), BigInteger)
    insert = database.insert(lease).values(name=clean(name), owner=str(owner), until=until)
    holding = select(lease.c.owner).where(lease.c.name == clean(name))
    with database.writing() as connection:
        holder = connection.scalar(holding)
        free = [lease.c.until <= Now(), lease.c.owner == str(owner)]
        if holder is not None and is_gone(holder):
            free.append(lease.c.owner == holder)
        taking = insert.on_conflict_do_update(
            index_elements=["name"],
            set_={"owner": excluded("owner"), "until": excluded("until")},
            where=or_(*free),
        ).returning(lease.c.name)
        return connection.execute(taking).first() is not None


def prolong(database: Database, names: Collection[str], owner: Owner, period: timedelta) -> frozenset[str]:
    """Prolong leases of the owner's in one commit; answers which are its own still.

    Rows of others are not touched: two watchers that wait for each other in one transaction would be in a deadlock.
    """
    stored = {clean(name): name for name in names}
    prolonging = update(lease).values(until=Now() + cast(span(period), BigInteger)).where(lease.c.owner == str(owner))
    keys = list(stored)
    found: set[str] = set()
    with database.writing() as connection:
        for start in range(0, len(keys), AT_ONCE):
            wanted = lease.c.name.in_(keys[start : start + AT_ONCE])
            found.update(connection.scalars(prolonging.where(wanted).returning(lease.c.name)))
    return frozenset(stored[key] for key in found)


def held(database: Database) -> frozenset[str]:
    """Names of leases that somebody holds now, as far as anybody here can know."""
    with database.reading() as connection:
        found = connection.execute(select(lease.c.name, lease.c.owner).where(lease.c.until > Now())).all()
    return frozenset(each.name for each in found if not is_gone(each.owner))
