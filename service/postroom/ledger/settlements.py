"""What a watcher asks and tells about its mailbox: messages wanted and unsettled, keys and hashes that are known."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Select, and_, bindparam, delete, func, select, union, update

from postroom.ledger.columns import clean, clean_error, indexed, message_key, micros
from postroom.ledger.database import Database, Now
from postroom.ledger.intake import insert_arrivals
from postroom.ledger.memory import release_reservations
from postroom.ledger.reading import LISTED, row
from postroom.ledger.rows import ENDED, OPEN, Load, Row, Settled, State, Unsettled, Waiting
from postroom.ledger.tables import identity, message

_DUE = message.c.next_try_at <= Now()
_OF_ID = message.c.id == bindparam("of_id")
_SETTLED = (
    update(message)
    .where(_OF_ID, message.c.state == State.DONE)
    .values(state=State.SETTLED, outcome=bindparam("how"), error=None, finished_at=Now())
)
_POSTPONED = (
    update(message)
    .where(_OF_ID, message.c.state.in_([State.DONE, State.WANTED]))
    .values(tries=message.c.tries + 1, next_try_at=bindparam("at"), error=bindparam("why"))
)
_LATER = update(message).where(_OF_ID, message.c.state == State.DONE).values(next_try_at=bindparam("at"))
_DIED = (
    update(message)
    .where(_OF_ID, message.c.state.in_([State.DONE, State.WANTED]))
    .values(state=State.DEAD, error=bindparam("why"), finished_at=Now())
)
_AT_ONCE = 400


def unsettled(database: Database, mailbox: str, folder: str | None, limit: int) -> tuple[Row, ...]:
    """Rows that are done, with their plans, whose next try has come; oldest first."""
    asking = _of(mailbox, State.DONE).add_columns(message.c.plan).where(_DUE).order_by(message.c.id).limit(limit)
    if folder is not None:
        asking = asking.where(message.c.folder == clean(folder))
    with database.reading() as connection:
        return tuple(row(found, plan=found.plan) for found in connection.execute(asking))


def unsettled_mailboxes(database: Database) -> frozenset[str]:
    """Mailboxes with something to settle now."""
    asking = select(message.c.mailbox).where(message.c.state == State.DONE, _DUE).distinct()
    with database.reading() as connection:
        return frozenset(connection.scalars(asking))


def settle(
    database: Database,
    mailbox: str,
    settled: Sequence[Settled],
    unsettled: Sequence[tuple[Unsettled, datetime | None]],
    waiting: Sequence[Waiting] = (),
) -> None:
    """done → settled as the source confirmed, with copies of our own that are no new mail; others wait until the
    time beside them, or are dead where there is none; and some are not to be settled yet."""
    with database.writing() as connection:
        if settled:
            connection.execute(_SETTLED, [{"of_id": each.message, "how": each.outcome} for each in settled])
        for each, at in unsettled:
            why = {"of_id": each.message, "why": clean_error(str(each.error))}
            connection.execute(*((_DIED, why) if at is None else (_POSTPONED, why | {"at": micros(at)})))
        if waiting:
            connection.execute(_LATER, [{"of_id": each.message, "at": micros(each.until)} for each in waiting])
        own = [arrival for each in settled for arrival in each.own]
        if own:
            insert_arrivals(connection, database, clean(mailbox), own)


def wanted(database: Database, mailbox: str, folder: str, limit: int) -> tuple[Row, ...]:
    """Rows without bytes whose next try has come, oldest first."""
    asking = _of(mailbox, State.WANTED).where(_DUE, message.c.folder == clean(folder))
    with database.reading() as connection:
        return tuple(map(row, connection.execute(asking.order_by(message.c.id).limit(limit))))


def missed(database: Database, number: int, error: str, at: datetime | None) -> None:
    """A wanted message could not be had; it waits until then, or is dead where no time is given."""
    why = {"of_id": number, "why": clean_error(error)}
    with database.writing() as connection:
        connection.execute(*((_DIED, why) if at is None else (_POSTPONED, why | {"at": micros(at)})))


def unfinished(database: Database, mailbox: str, folder: str) -> tuple[Row, ...]:
    """Rows of a folder that are not final."""
    asking = select(*LISTED).where(
        message.c.mailbox == clean(mailbox), message.c.folder == clean(folder), message.c.state.not_in(ENDED)
    )
    with database.reading() as connection:
        return tuple(map(row, connection.execute(asking.order_by(message.c.id))))


def rekey(database: Database, mailbox: str, pairs: Sequence[tuple[str, str]]) -> None:
    """Rows go on under another source key. One whose new key is taken stays as it is.

    Reservations and effects belong to the old name and stay with the stored plan.
    """
    with database.writing() as connection:
        for old, new in pairs:
            taken = select(message.c.id).where(
                message.c.mailbox == clean(mailbox), message.c.source_key == indexed(new)
            )
            if connection.execute(taken).first() is None:
                moving = update(message).where(
                    message.c.mailbox == clean(mailbox), message.c.source_key == indexed(old)
                )
                connection.execute(moving.values(source_key=indexed(new)))


def vanish(database: Database, mailbox: str, keys: Collection[str]) -> int:
    """Wanted and done messages that the source has no more are settled as `vanished`; answers how many."""
    vanishing = (
        update(message)
        .where(message.c.mailbox == clean(mailbox), message.c.source_key.in_([indexed(key) for key in keys]))
        .where(message.c.state.in_([State.WANTED, State.DONE]))
        .values(state=State.SETTLED, outcome="vanished", finished_at=Now())
        .returning(message.c.source_key)
    )
    with database.writing() as connection:
        found = list(connection.scalars(vanishing))
        release_reservations(connection, [message_key(mailbox, key) for key in found])
        return len(found)


def load(database: Database, mailbox: str) -> Load:
    """What is being worked on: all but what waits for a later try."""
    asking = select(func.count(), func.coalesce(func.sum(message.c.size), 0)).where(
        message.c.mailbox == clean(mailbox), message.c.state.in_([State.WANTED, *OPEN]), _DUE
    )
    with database.reading() as connection:
        messages, octets = connection.execute(asking).one()
        return Load(messages=messages, octets=int(octets))


def known_keys(database: Database, mailbox: str, keys: Collection[str]) -> frozenset[str]:
    """Which of these source keys have a row, or had one and are still remembered."""
    names = {indexed(key): key for key in keys}
    found: set[str] = set()
    with database.reading() as connection:
        for group in _groups(list(names)):
            for table in (message, identity):
                asking = select(table.c.source_key).where(
                    table.c.mailbox == clean(mailbox), table.c.source_key.in_(group)
                )
                found.update(names[key] for key in connection.scalars(asking))
    return frozenset(found)


def known_hashes(database: Database, mailbox: str, hashes: Collection[str]) -> frozenset[str]:
    """Which of these SHA-256 digests messages of the mailbox have or had."""
    found: set[str] = set()
    with database.reading() as connection:
        for group in _groups(list(hashes)):
            asking = union(
                *(
                    select(table.c.sha256).where(table.c.mailbox == clean(mailbox), table.c.sha256.in_(group))
                    for table in (message, identity)
                )
            )
            found.update(connection.scalars(asking))
    return frozenset(found)


def forget_unlisted(database: Database, mailbox: str, listed: Collection[str]) -> int:
    """Forget the identities that the source lists no more; answers how many."""
    known = select(identity.c.source_key).where(identity.c.mailbox == clean(mailbox))
    keep = {indexed(key) for key in listed}
    with database.writing() as connection:
        gone = [key for key in connection.scalars(known) if key not in keep]
        for group in _groups(gone):
            connection.execute(
                delete(identity).where(and_(identity.c.mailbox == clean(mailbox), identity.c.source_key.in_(group)))
            )
        return len(gone)


def _of(mailbox: str, state: State) -> Select[tuple[object, ...]]:
    return select(*LISTED).where(message.c.mailbox == clean(mailbox), message.c.state == state)


def _groups(values: Sequence[str]) -> Sequence[Sequence[str]]:
    return [values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE)]
