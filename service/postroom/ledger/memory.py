"""Keys that outlive messages (`duplicate`): reserved by a message while it is worked on, remembered at its
end."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from postroom.ledger.claims import OPEN
from postroom.ledger.columns import clean, indexed, message_key, span
from postroom.ledger.database import Connection, Database
from postroom.ledger.statements import sql
from postroom.pipeline.tools import Reservation

# Only what has expired changes hands.
_RESERVE = sql("""
    INSERT INTO memory (space, key, holder, count, until) VALUES (:space, :key, :holder, 0, NOW + :period)
    ON CONFLICT (space, key) DO UPDATE SET holder = excluded.holder, count = excluded.count, until = excluded.until
    WHERE memory.until <= NOW
    RETURNING key
""")
_REMEMBER = """
    INSERT INTO memory (space, key, holder, count, until) VALUES (:space, :key, :holder, 1, NOW + :period)
    ON CONFLICT (space, key) DO UPDATE SET holder = excluded.holder, count = excluded.count, until = excluded.until
    WHERE memory.holder = excluded.holder OR memory.until <= NOW
"""
_REMEMBER_ONE, _REMEMBER_ALL = sql(f"{_REMEMBER} RETURNING key"), sql(_REMEMBER)
_LOOK = sql("SELECT holder, count FROM memory WHERE space = :space AND key = :key")
_RECALL = sql("SELECT 1 FROM memory WHERE space = :space AND key = :key AND count > 0 AND until > NOW")
_RESERVED = sql("SELECT space, holder FROM memory WHERE count = 0 AND until > NOW")
_UNFINISHED = sql(f"SELECT source_key FROM message WHERE mailbox = :mailbox AND {OPEN}")
_RELEASE = sql("DELETE FROM memory WHERE holder IN :holders AND count = 0")


def reserve(database: Database, space: str, key: str, holder: str, period: timedelta) -> Reservation:
    """Ask for a key. The same holder may ask again, and finds what it remembered itself FREE."""
    with database.writing() as connection:
        if connection.row(_RESERVE, **_values(space, key, holder, period)) is not None:
            return Reservation.FREE
        found = connection.row(_LOOK, space=clean(space), key=indexed(key))
        assert found is not None, "it was in the way a moment ago"
    if found["holder"] == clean(holder):
        return Reservation.FREE
    return Reservation.KNOWN if found["count"] else Reservation.HELD


def remember(database: Database, space: str, key: str, holder: str, period: timedelta) -> bool:
    """Remember a key for that long from now on; False where another message's is known or reserved
    already."""
    with database.writing() as connection:
        return connection.row(_REMEMBER_ONE, **_values(space, key, holder, period)) is not None


def remember_all(connection: Connection, known: Sequence[tuple[str, str, str, timedelta]]) -> None:
    """The same for several (space, key, holder, period) in a transaction that others began."""
    connection.run_all(_REMEMBER_ALL, [_values(*each) for each in known])


def recall(database: Database, space: str, key: str) -> bool:
    """Whether the key is remembered; a reservation is no memory."""
    with database.reading() as connection:
        return connection.row(_RECALL, space=clean(space), key=indexed(key)) is not None


def release(database: Database, holders: Collection[str]) -> None:
    """Drop what they have reserved and not remembered: they are no messages of ours in the end."""
    with database.writing() as connection:
        release_reservations(connection, holders)


def release_ghosts(database: Database, mailbox: str, spaces: str) -> None:
    """Drop what was reserved in spaces whose names begin so, and is no unfinished message's of the mailbox: it was
    planned before it was to be recorded, and its process died."""
    with database.writing() as connection:
        reserved = connection.rows(_RESERVED)
        keys = connection.column("source_key", _UNFINISHED, mailbox=clean(mailbox))
        ours = {message_key(mailbox, key) for key in keys}
        found = [one["holder"] for one in reserved if one["space"].startswith(clean(spaces))]
        release_reservations(connection, set(found) - ours)


def release_reservations(connection: Connection, holders: Collection[str]) -> None:
    """Drop what messages have reserved and not remembered, in the transaction that ends them."""
    if holders:
        connection.run(_RELEASE, holders=holders)


def _values(space: str, key: str, holder: str, period: timedelta) -> dict[str, Any]:
    return {"space": clean(space), "key": indexed(key), "holder": clean(holder), "period": span(period)}
