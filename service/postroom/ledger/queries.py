"""Questions to the ledger that change nothing."""

from collections.abc import Collection, Mapping
from datetime import timedelta

from sqlalchemy import bindparam, func, or_, select

from postroom.ledger.columns import clean, indexed, moment
from postroom.ledger.database import Database, Now
from postroom.ledger.reading import EFFECT, LISTED, effect_row, row
from postroom.ledger.rows import OPEN, Counts, Cursor, EffectState, Origin, Query, Row, Shown, State
from postroom.ledger.tables import blob, cursor, effect, message

_CONTENTS = select(blob.c.name, blob.c.bytes).where(
    blob.c.name.in_(bindparam("names", expanding=True)), blob.c.bytes.is_not(None)
)


def find(database: Database, query: Query) -> tuple[Row, ...]:
    """Rows without their plans, newest first."""
    finding = select(*LISTED).order_by(message.c.id.desc()).limit(query.limit)
    if query.states:
        finding = finding.where(message.c.state.in_(query.states))
    if query.mailbox is not None:
        finding = finding.where(message.c.mailbox == clean(query.mailbox))
    if query.message_id is not None:
        finding = finding.where(message.c.message_id == indexed(query.message_id))
    if query.before is not None:
        finding = finding.where(message.c.id < query.before)
    with database.reading() as connection:
        return tuple(row(found) for found in connection.execute(finding))


def show(database: Database, number: int) -> Shown | None:
    """One message with plan and effects."""
    with database.reading() as connection:
        found = connection.execute(select(*LISTED, message.c.plan).where(message.c.id == number)).first()
        if found is None:
            return None
        effects = connection.execute(select(*EFFECT).where(effect.c.message == number).order_by(effect.c.ordinal))
        return Shown(row=row(found, plan=found.plan), effects=tuple(effect_row(each) for each in effects))


def due(database: Database, limit: int, leaving: Collection[str]) -> tuple[int, ...]:
    """Messages that wait for a worker now, longest first; those of the mailboxes in `leaving` are left to
    others."""
    waiting = (
        select(message.c.id)
        .where(message.c.state.in_(OPEN), message.c.next_try_at <= Now())
        .where(or_(message.c.owner.is_(None), message.c.lease_until <= Now()))
        .where(message.c.mailbox.not_in(leaving))
        .order_by(message.c.next_try_at, message.c.id)
        .limit(limit)
    )
    with database.reading() as connection:
        return tuple(connection.scalars(waiting))


def contents(database: Database, names: Collection[str]) -> Mapping[str, bytes]:
    """The bytes of those blobs that lie in the ledger; the others are in the spool."""
    with database.reading() as connection:
        return {found.name: found.bytes for found in connection.execute(_CONTENTS, {"names": list(names)})}


def known_blobs(database: Database, names: Collection[str]) -> frozenset[str]:
    """Which of the names have a row; the spool may collect the others."""
    with database.reading() as connection:
        return frozenset(connection.scalars(select(blob.c.name).where(blob.c.name.in_(names))))


def origins(database: Database, effects: Collection[str]) -> Mapping[str, Origin]:
    """Whose effects these are, by their keys."""
    finding = select(effect.c.key, message.c.mailbox, message.c.source_key).join(
        message, message.c.id == effect.c.message
    )
    with database.reading() as connection:
        found = connection.execute(finding.where(effect.c.key.in_(effects)))
        return {one.key: Origin(one.mailbox, one.source_key) for one in found}


def find_cursor(database: Database, mailbox: str, folder: str) -> Cursor | None:
    """How far that folder has been recorded."""
    reading = select(cursor).where(cursor.c.mailbox == clean(mailbox), cursor.c.folder == clean(folder))
    with database.reading() as connection:
        found = connection.execute(reading).first()
    if found is None:
        return None
    return Cursor(
        folder=found.folder,
        uidvalidity=found.uidvalidity,
        next=found.next,
        reconciled_at=moment(found.reconciled_at),
    )


def counts(database: Database) -> Counts:
    """Messages by state, pending effects, and how long the longest waiting one has been due."""
    states = select(message.c.state, func.count()).group_by(message.c.state)
    pending = select(func.count()).select_from(effect).where(effect.c.state == EffectState.PENDING)
    since = func.max(Now() - func.coalesce(func.nullif(message.c.next_try_at, 0), message.c.received_at))
    oldest = select(since).where(message.c.state.in_(OPEN), message.c.next_try_at <= Now())
    with database.reading() as connection:
        waited = connection.scalar(oldest)
        return Counts(
            messages={State(state): number for state, number in connection.execute(states)},
            pending=connection.scalar(pending) or 0,
            oldest_due=None if waited is None else max(timedelta(), timedelta(microseconds=int(waited))),
        )
