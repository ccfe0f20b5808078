"""Arrivals become rows: a whole batch in one commit, broken up where the database refuses a value in it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, bindparam, case, cast, or_, select, update

from postroom.errors import Permanent
from postroom.ledger.claims import Lease, claim_rows
from postroom.ledger.columns import clean, indexed, micros, span
from postroom.ledger.database import Database, Now, excluded
from postroom.ledger.entries import Entry, fresh_claim, prepare
from postroom.ledger.rows import ENDED, Arrival, Batch, Cursor, Recorded, Refused, State
from postroom.ledger.tables import blob, identity, message
from postroom.ledger.tables import cursor as folders
from postroom.ledger.transitions import foreseen

_KNOWN = select(message.c.id, message.c.source_key, message.c.state).where(
    message.c.mailbox == bindparam("mailbox"), message.c.source_key.in_(bindparam("keys", expanding=True))
)
_IDENTITIES = select(identity.c.source_key).where(
    identity.c.mailbox == bindparam("mailbox"), identity.c.source_key.in_(bindparam("keys", expanding=True))
)
_OFFERED_AGAIN = (
    update(message)
    .where(message.c.id.in_(bindparam("ids", expanding=True)))
    .values(
        rung_at=Now(),
        state=case(
            (message.c.state != State.ABANDONED, message.c.state),
            (message.c.plan.is_(None), State.RECEIVED),
            else_=State.PLANNED,
        ),
        finished_at=case((message.c.state != State.ABANDONED, message.c.finished_at), else_=None),
    )
)


def record(
    database: Database,
    mailbox: str,
    batch: Batch,
    *,
    lease: Lease | None = None,
    resume_for: timedelta | None = None,
) -> tuple[Recorded | Refused, ...]:
    """Make a batch durable; one answer for each arrival, in order. When this returns, what was recorded is
    ours.

    A known key gives the row that has it. `lease`: claim the rows in the same commit. `resume_for`: the
    source offers by contents (stdin), so that a key whose row ended longer ago than this begins a new row. A
    value that the database refuses costs only its own arrival; the cursor then stays. Raises Temporary.
    """
    [answers] = record_all(database, mailbox, [batch], lease=lease, resume_for=resume_for)
    return answers


def record_all(
    database: Database,
    mailbox: str,
    batches: Sequence[Batch],
    *,
    lease: Lease | None = None,
    resume_for: timedelta | None = None,
) -> tuple[tuple[Recorded | Refused, ...], ...]:
    """Several batches of one mailbox in one commit, as `record` does one; the answers batch by batch."""
    arrivals = [arrival for batch in batches for arrival in batch.arrivals]
    cursors = [batch.cursor for batch in batches if batch.cursor is not None]
    answers: tuple[Recorded | Refused, ...]
    try:
        answers = _record(database, mailbox, arrivals, cursors, lease, resume_for)
    except Permanent as error:
        if len(arrivals) <= 1:
            answers = tuple(Refused(source_key=arrival.source_key, error=error) for arrival in arrivals)
        else:
            alone = [Batch(arrivals=(arrival,)) for arrival in arrivals]
            singles = (record(database, mailbox, one, lease=lease, resume_for=resume_for) for one in alone)
            answers = tuple(answer for single in singles for answer in single)
    left = iter(answers)
    return tuple(tuple(islice(left, len(batch.arrivals))) for batch in batches)


def _record(
    database: Database,
    mailbox: str,
    arrivals: Sequence[Arrival],
    cursors: Sequence[Cursor],
    lease: Lease | None,
    resume_for: timedelta | None,
) -> tuple[Recorded | Refused, ...]:
    mailbox = clean(mailbox)
    with database.writing() as connection:
        keys = [indexed(arrival.source_key) for arrival in arrivals]
        gone: frozenset[str] = frozenset()
        if resume_for is None and keys:
            gone = frozenset(connection.scalars(_IDENTITIES, {"mailbox": mailbox, "keys": keys}))
        elif resume_for is not None:
            keys = [_generation(connection, mailbox, key, resume_for) for key in keys]
        entries = prepare(arrivals, keys, gone)
        new = _insert(connection, database, mailbox, entries, lease)
        _insert_blobs(connection, [entry for entry in entries.values() if entry.key in new])
        plans = {number: one for key, number in new.items() if (one := entries[key].arrival.foreseen) is not None}
        if plans:
            foreseen(connection, database, plans)
        known = _known(connection, mailbox, [key for key in entries if key not in new])
        ids = [number for number, state in known.values() if state not in ENDED or state == State.ABANDONED]
        if resume_for is not None and ids:
            connection.execute(_OFFERED_AGAIN, {"ids": ids})
        claims = {claim.id: claim for claim in claim_rows(connection, ids, lease)} if lease and ids else {}
        for cursor in cursors:
            _advance(connection, database, mailbox, cursor)
    answers = {key: Recorded(source_key=key, id=None, new=False, state=State.SETTLED) for key in gone}
    for key, (number, state) in known.items():
        answers[key] = Recorded(source_key=key, id=number, new=False, state=state, claim=claims.get(number))
    for key, number in new.items():
        claim = fresh_claim(mailbox, number, entries[key], lease) if lease else None
        answers[key] = Recorded(source_key=key, id=number, new=True, state=entries[key].state, claim=claim)
    return _in_order(keys, answers)


def insert_arrivals(connection: Connection, database: Database, mailbox: str, arrivals: Sequence[Arrival]) -> None:
    """Record arrivals inside a transaction; known keys are left alone."""
    keys = [indexed(arrival.source_key) for arrival in arrivals]
    entries = prepare(arrivals, keys, frozenset())
    new = _insert(connection, database, mailbox, entries, None)
    _insert_blobs(connection, [entry for entry in entries.values() if entry.key in new])


def _in_order(keys: Sequence[str], answers: Mapping[str, Recorded]) -> tuple[Recorded, ...]:
    """One answer per arrival; of two with the same key in one batch only the first is new and claimed."""
    seen: set[str] = set()
    ordered = []
    for key in keys:
        answer = answers[key]
        ordered.append(replace(answer, new=False, claim=None) if key in seen else answer)
        seen.add(key)
    return tuple(ordered)


def _generation(connection: Connection, mailbox: str, key: str, resume_for: timedelta) -> str:
    """The key under which this offer lies: that of the newest row, or the next one (`key~2`) once that is
    over."""
    newest: Select[Any] = (
        select(
            message.c.source_key,
            (message.c.finished_at + span(resume_for) <= Now()).label("over"),
            message.c.state,
        )
        .where(message.c.mailbox == mailbox)
        .where(or_(message.c.source_key == key, message.c.source_key.between(f"{key}~", f"{key}~~")))
        .order_by(message.c.id.desc())
        .limit(1)
    )
    found = connection.execute(newest).first()
    if found is None:
        return key
    if found.state not in ENDED or found.state == State.ABANDONED or not found.over:
        return str(found.source_key)
    return f"{key}~{int(found.source_key[len(key) + 1 :] or '1') + 1}"


def _insert(
    connection: Connection,
    database: Database,
    mailbox: str,
    entries: Mapping[str, Entry],
    lease: Lease | None,
) -> dict[str, int]:
    """Key and id of the rows that are new, or were wanted and have their bytes now."""
    if not entries:
        return {}
    # In one order everywhere, so that two writers on PostgreSQL wait for each other instead of dying.
    values = [_values(mailbox, entries[key], lease) for key in sorted(entries)]
    statement = _recording(database.insert, lease is not None)
    return {found.source_key: found.id for found in connection.execute(statement, values)}


@cache
def _recording(insert: Callable[..., Any], claimed: bool) -> Any:
    statement = insert(message).values(rung_at=Now())
    replaced: dict[str, Any] = {name: excluded(name) for name in _REPLACED}
    if claimed:
        statement = statement.values(lease_until=Now() + cast(bindparam("period"), BigInteger))
        replaced |= {name: excluded(name) for name in ("owner", "crashes", "epoch", "lease_until")}
    # Only a wanted row, which nobody can have claimed, takes new values.
    return statement.on_conflict_do_update(
        index_elements=["mailbox", "source_key"],
        set_=replaced,
        where=(message.c.state == State.WANTED) & (excluded("state") != State.WANTED),
    ).returning(message.c.id, message.c.source_key)


_REPLACED = (
    *("state", "pipeline", "store", "folder", "flags", "envelope", "prefix", "blob", "sha256", "size"),
    *("message_id", "received_at", "rung_at", "outcome", "error", "finished_at", "tries", "next_try_at"),
)


def _values(mailbox: str, entry: Entry, lease: Lease | None) -> dict[str, object]:
    values = entry.columns | {"mailbox": mailbox, "source_key": entry.key, "state": entry.state.value}
    values |= {"tries": 0, "next_try_at": 0}
    if lease is None:
        return values
    if entry.state != State.RECEIVED:
        return values | {"owner": None, "crashes": 0, "epoch": 0, "period": 0}
    return values | {"owner": str(lease.owner), "crashes": 1, "epoch": 1, "period": span(lease.period)}


def _insert_blobs(connection: Connection, entries: Sequence[Entry]) -> None:
    rows = {}
    for entry in entries:
        if entry.blob is not None:
            content = entry.arrival.content
            rows[entry.blob.name] = {
                "name": entry.blob.name,
                "sha256": entry.blob.sha256,
                "size": entry.blob.size,
                "bytes": content if isinstance(content, bytes) else None,
            }
    if rows:
        connection.execute(blob.insert().values(created_at=Now()), list(rows.values()))


def _known(connection: Connection, mailbox: str, keys: Sequence[str]) -> dict[str, tuple[int, State]]:
    if not keys:
        return {}
    rows = connection.execute(_KNOWN, {"mailbox": mailbox, "keys": keys})
    return {found.source_key: (found.id, State(found.state)) for found in rows}


def _advance(connection: Connection, database: Database, mailbox: str, to: Cursor) -> None:
    reconciled = None if to.reconciled_at is None else micros(to.reconciled_at)
    values = {"uidvalidity": to.uidvalidity, "next": to.next, "reconciled_at": reconciled}
    insert = database.insert(folders).values(mailbox=mailbox, folder=clean(to.folder), **values)
    connection.execute(insert.on_conflict_do_update(index_elements=["mailbox", "folder"], set_=values))
