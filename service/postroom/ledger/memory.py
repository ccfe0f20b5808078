"""Keys that outlive messages (`duplicate`): reserved by a message while it is worked on, remembered at its
end."""

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, bindparam, cast, delete, select

from postroom.ledger.columns import clean, indexed, span
from postroom.ledger.database import Database, Now, excluded
from postroom.ledger.tables import memory
from postroom.pipeline.tools import Reservation

_RELEASE = delete(memory).where(memory.c.holder.in_(bindparam("holders", expanding=True)), memory.c.count == 0)


def reserve(database: Database, space: str, key: str, holder: str, period: timedelta) -> Reservation:
    """Ask for a key. The same holder may ask again, and finds what it remembered itself FREE."""
    values = _values(space, key, holder, period)
    until = Now() + cast(values.pop("period"), BigInteger)
    insert = database.insert(memory).values(**values, count=0, until=until)
    # Only what has expired changes hands.
    taking = insert.on_conflict_do_update(
        index_elements=["space", "key"],
        set_={name: excluded(name) for name in ("holder", "count", "until")},
        where=memory.c.until <= Now(),
    ).returning(memory.c.key)
    with database.writing() as connection:
        if connection.execute(taking).first() is not None:
            return Reservation.FREE
        found = connection.execute(_looking(space, key)).one()
    if found.holder == values["holder"]:
        return Reservation.FREE
    return Reservation.KNOWN if found.remembered else Reservation.HELD


def remember(database: Database, space: str, key: str, holder: str, period: timedelta) -> bool:
    """Remember a key for that long from now on; False where another message's is known or reserved
    already."""
    with database.writing() as connection:
        remembering = _remembering(database.insert).returning(memory.c.key)
        return connection.execute(remembering, _values(space, key, holder, period)).first() is not None


def remember_all(connection: Connection, database: Database, known: Sequence[tuple[str, str, str, timedelta]]) -> None:
    """The same for several (space, key, holder, period) in a transaction that others began."""
    if known:
        connection.execute(_remembering(database.insert), [_values(*each) for each in known])


@cache
def _remembering(insert: Callable[..., Any]) -> Any:
    made = insert(memory).values(
        space=bindparam("space"),
        key=bindparam("key"),
        holder=bindparam("holder"),
        count=1,
        until=Now() + cast(bindparam("period"), BigInteger),
    )
    return made.on_conflict_do_update(
        index_elements=["space", "key"],
        set_={name: excluded(name) for name in ("holder", "count", "until")},
        where=(memory.c.holder == excluded("holder")) | (memory.c.until <= Now()),
    )


def recall(database: Database, space: str, key: str) -> bool:
    """Whether the key is remembered; a reservation is no memory."""
    with database.reading() as connection:
        found = connection.execute(_looking(space, key).where(memory.c.count > 0, memory.c.until > Now()))
        return found.first() is not None


def release(database: Database, holders: Collection[str]) -> None:
    """Drop what they have reserved and not remembered: they are no messages of ours in the end."""
    with database.writing() as connection:
        release_reservations(connection, holders)


def release_reservations(connection: Connection, holders: Collection[str]) -> None:
    """Drop what messages have reserved and not remembered, in the transaction that ends them."""
    if holders:
        connection.execute(_RELEASE, {"holders": list(holders)})


def _looking(space: str, key: str) -> Select[Any]:
    return select(memory.c.holder, (memory.c.count > 0).label("remembered")).where(
        memory.c.space == clean(space), memory.c.key == indexed(key)
    )


def _values(space: str, key: str, holder: str, period: timedelta) -> dict[str, Any]:
    return {"space": clean(space), "key": indexed(key), "holder": clean(holder), "period": span(period)}
