"""Questions to the ledger that change nothing."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from postroom.ledger.claims import CONTENTS, HELD, OPEN
from postroom.ledger.columns import clean, indexed, moment
from postroom.ledger.database import Database
from postroom.ledger.reading import EFFECT, LISTED, effect_row, row
from postroom.ledger.rows import Counts, Cursor, Origin, Query, Row, Shown, State
from postroom.ledger.statements import sql

_SHOW = sql(f"SELECT {LISTED}, plan FROM message WHERE id = :id")
_EFFECTS = sql(f"SELECT {EFFECT} FROM effect WHERE message = :id ORDER BY ordinal")
_DUE = sql(f"""
    SELECT id FROM message
    WHERE {OPEN} AND next_try_at <= NOW AND NOT {HELD} AND mailbox NOT IN :leaving
    ORDER BY next_try_at, id LIMIT :limit
""")
_BLOBS = sql("SELECT name FROM blob WHERE name IN :names")
_ORIGINS = sql("""
    SELECT effect.key, message.mailbox, message.source_key
    FROM effect JOIN message ON message.id = effect.message WHERE effect.key IN :keys
""")
_CURSOR = sql("""
    SELECT folder, uidvalidity, next, reconciled_at FROM cursor WHERE mailbox = :mailbox AND folder = :folder
""")
_STATES = sql("SELECT state, count(*) AS number FROM message GROUP BY state")
_PENDING = sql("SELECT count(*) AS number FROM effect WHERE state = 'pending'")
_WAITED = sql(f"""
    SELECT max(NOW - coalesce(nullif(next_try_at, 0), received_at)) AS longest
    FROM message WHERE {OPEN} AND next_try_at <= NOW
""")


def find(database: Database, query: Query) -> tuple[Row, ...]:
    """Rows without their plans, newest first."""
    values: dict[str, Any] = {"limit": query.limit}
    conditions = ["TRUE"]
    if query.states:
        conditions.append("state IN :states")
        values["states"] = [state.value for state in query.states]
    if query.mailbox is not None:
        conditions.append("mailbox = :mailbox")
        values["mailbox"] = clean(query.mailbox)
    if query.message_id is not None:
        conditions.append("message_id = :message_id")
        values["message_id"] = indexed(query.message_id)
    if query.before is not None:
        conditions.append("id < :before")
        values["before"] = query.before
    finding = sql(f"SELECT {LISTED} FROM message WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT :limit")
    with database.reading() as connection:
        return tuple(map(row, connection.rows(finding, **values)))


def show(database: Database, number: int) -> Shown | None:
    """One message with plan and effects."""
    with database.reading() as connection:
        found = connection.row(_SHOW, id=number)
        if found is None:
            return None
        effects = connection.rows(_EFFECTS, id=number)
        return Shown(row=row(found, plan=found["plan"]), effects=tuple(map(effect_row, effects)))


def due(database: Database, limit: int, leaving: Collection[str]) -> tuple[int, ...]:
    """Messages that wait for a worker now, longest first; those of the mailboxes in `leaving` are left to
    others."""
    with database.reading() as connection:
        return tuple(connection.column("id", _DUE, limit=limit, leaving=leaving))


def contents(database: Database, names: Collection[str]) -> Mapping[str, bytes]:
    """The bytes of those blobs that lie in the ledger; the others are in the spool."""
    with database.reading() as connection:
        return {found["name"]: found["bytes"] for found in connection.rows(CONTENTS, names=names)}


def known_blobs(database: Database, names: Collection[str]) -> frozenset[str]:
    """Which of the names have a row; the spool may collect the others."""
    with database.reading() as connection:
        return frozenset(connection.column("name", _BLOBS, names=names))


def origins(database: Database, effects: Collection[str]) -> Mapping[str, Origin]:
    """Whose effects these are, by their keys."""
    with database.reading() as connection:
        found = connection.rows(_ORIGINS, keys=effects)
        return {each["key"]: Origin(each["mailbox"], each["source_key"]) for each in found}


def find_cursor(database: Database, mailbox: str, folder: str) -> Cursor | None:
    """How far that folder has been recorded."""
    with database.reading() as connection:
        found = connection.row(_CURSOR, mailbox=clean(mailbox), folder=clean(folder))
    if found is None:
        return None
    return Cursor(
        folder=found["folder"],
        uidvalidity=found["uidvalidity"],
        next=found["next"],
        reconciled_at=moment(found["reconciled_at"]),
    )


def counts(database: Database) -> Counts:
    """Messages by state, pending effects, and how long the longest waiting one has been due."""
    with database.reading() as connection:
        [waited] = connection.column("longest", _WAITED)
        [pending] = connection.column("number", _PENDING)
        return Counts(
            messages={State(found["state"]): found["number"] for found in connection.rows(_STATES)},
            pending=pending,
            oldest_due=None if waited is None else max(timedelta(), timedelta(microseconds=int(waited))),
        )
