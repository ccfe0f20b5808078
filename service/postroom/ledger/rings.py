"""Which messages wait for a worker and are not being worked on: what the sweeper rings for."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from postroom.ledger.claims import HELD, OPEN
from postroom.ledger.columns import clean, span
from postroom.ledger.database import Connection, Database
from postroom.ledger.owner import is_gone
from postroom.ledger.statements import sql

_HOLDERS = sql(f"SELECT DISTINCT owner FROM message WHERE {OPEN} AND {HELD}")
_WAITING = sql(f"""
    SELECT id FROM message
    WHERE {OPEN} AND next_try_at <= NOW AND mailbox NOT IN :leaving
    AND (owner IN :gone OR NOT {HELD} AND (rung_at < next_try_at OR rung_at <= NOW - :patience))
    ORDER BY next_try_at, id LIMIT :limit
""")
# The claim of a dead worker ends with it: else the message would be rung for at every sweep until somebody came to it,
# and where many wait for their turn the queue would only grow.
_RING = sql("""
    UPDATE message SET rung_at = NOW, lease_until = CASE WHEN owner IN :gone THEN 0 ELSE lease_until END
    WHERE id IN :ids RETURNING id, crashes
""")
_UNRING = sql("UPDATE message SET rung_at = 0 WHERE id IN :ids")


def ring(database: Database, limit: int, leaving: Collection[str], patience: timedelta) -> Mapping[int, bool]:
    """Messages to ring for, and whether each should go alone, because a claim on it has crashed before.

    Those whose time came after they were last rung for, that nobody has taken within `patience`, or whose worker is
    gone. They count as rung for now.
    """
    with database.reading() as connection:
        gone, left = _gone(connection), [clean(one) for one in leaving]
        ids = connection.column("id", _WAITING, gone=gone, leaving=left, patience=span(patience), limit=limit)
    if not ids:
        return {}
    with database.writing() as connection:
        return {found["id"]: found["crashes"] > 0 for found in connection.rows(_RING, ids=ids, gone=gone)}


def unring(database: Database, ids: Sequence[int]) -> None:
    """Nobody has rung for these: the next sweep is to."""
    with database.writing() as connection:
        connection.run(_UNRING, ids=ids)


def _gone(connection: Connection) -> list[str]:
    """Owners of claims whose process certainly runs no more: nobody needs to wait for their leases."""
    return [owner for owner in connection.column("owner", _HOLDERS) if is_gone(owner)]
