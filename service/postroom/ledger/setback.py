"""After the database's clock was set back: what was written down as due in the old time would wait for the whole
difference.

Nobody rings for a message in the future, so that a ring of the future tells of such rows. They count as rung for
just now; those that waited for a next try are due, and whoever finds that too early says when to come again.
"""

from datetime import timedelta

from postroom.ledger.columns import span
from postroom.ledger.database import Database
from postroom.ledger.statements import sql

_LONGEST = timedelta(hours=1)  # of all leases on messages
_BELATED = sql("""
    UPDATE message SET rung_at = NOW - 1, next_try_at = CASE WHEN next_try_at > NOW THEN NOW ELSE next_try_at END
    WHERE state IN ('wanted', 'received', 'planned', 'done') AND rung_at > NOW
    RETURNING id
""")
_EFFECTS = sql("UPDATE effect SET next_try_at = NOW WHERE message IN :ids AND +state = 'pending' AND next_try_at > NOW")
_LEASES = sql("""
    UPDATE message SET lease_until = NOW + :longest
    WHERE state IN ('received', 'planned') AND owner IS NOT NULL AND lease_until > NOW + :longest
""")


def mend(database: Database) -> int:
    """Answers how many messages were due in the old time."""
    with database.writing() as connection:
        found = connection.column("id", _BELATED)
        if found:
            connection.run(_EFFECTS, ids=found)
            connection.run(_LEASES, longest=span(_LONGEST))
    return len(found)
