"""Leases by name: which process watches a mailbox. They expire by the database's clock."""

from collections.abc import Collection
from datetime import timedelta

from postroom.ledger.columns import clean, span
from postroom.ledger.database import Database
from postroom.ledger.owner import Owner, is_gone
from postroom.ledger.statements import sql

# A lease that runs longer was taken before the clock was set back, and its holder would have renewed it since.
LONGEST = timedelta(minutes=5)

_HOLDER = sql("SELECT owner FROM lease WHERE name = :name")
_TAKE = sql("""
    INSERT INTO lease (name, owner, until) VALUES (:name, :owner, NOW + :period)
    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
    WHERE lease.until <= NOW OR lease.until > NOW + :longest OR lease.owner = :owner OR lease.owner = :gone
    RETURNING name
""")
_PROLONG = sql("UPDATE lease SET until = NOW + :period WHERE owner = :owner AND name IN :names RETURNING name")
_HELD = sql("SELECT name, owner FROM lease WHERE until > NOW")


def take(database: Database, name: str, owner: Owner, period: timedelta) -> bool:
    """Take or prolong the lease; a period of zero gives it up. One whose process is gone is taken at once."""
    with database.writing() as connection:
        found = connection.row(_HOLDER, name=clean(name))
        gone = found["owner"] if found is not None and is_gone(found["owner"]) else ""
        values = {"name": clean(name), "owner": str(owner), "gone": gone, "period": span(period)}
        return connection.row(_TAKE, **values, longest=span(LONGEST)) is not None


def prolong(database: Database, names: Collection[str], owner: Owner, period: timedelta) -> frozenset[str]:
    """Prolong leases of the owner's in one commit; answers which are its own still.

    Rows of others are not touched: two watchers that wait for each other in one transaction would be in a deadlock.
    """
    stored = {clean(name): name for name in names}
    with database.writing() as connection:
        found = connection.column("name", _PROLONG, owner=str(owner), period=span(period), names=stored)
    return frozenset(stored[name] for name in found)


def held(database: Database) -> frozenset[str]:
    """Names of leases that somebody holds now, as far as anybody here can know."""
    with database.reading() as connection:
        found = connection.rows(_HELD)
    return frozenset(each["name"] for each in found if not is_gone(each["owner"]))
