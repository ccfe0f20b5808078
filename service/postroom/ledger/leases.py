"""Leases by name: which process watches a mailbox. They expire by the database's clock."""

from datetime import timedelta

from sqlalchemy import BigInteger, cast, or_, select

from postroom.ledger.columns import clean, span
from postroom.ledger.database import Database, Now, excluded
from postroom.ledger.owner import Owner, is_gone
from postroom.ledger.tables import lease


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


def held(database: Database) -> frozenset[str]:
    """Names of leases that somebody holds now, as far as anybody here can know."""
    with database.reading() as connection:
        found = connection.execute(select(lease.c.name, lease.c.owner).where(lease.c.until > Now())).all()
    return frozenset(each.name for each in found if not is_gone(each.owner))
