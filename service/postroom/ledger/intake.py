"""Arrivals become rows: a whole batch in one commit, broken up where the database refuses a value in it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice

from postroom.errors import Permanent
from postroom.ledger.claims import Lease, claim_rows
from postroom.ledger.columns import clean, indexed, micros, span
from postroom.ledger.database import Connection, Database
from postroom.ledger.entries import Entry, fresh_claim, prepare
from postroom.ledger.rows import ENDED, Arrival, Batch, Cursor, Recorded, Refused, State
from postroom.ledger.statements import sql
from postroom.ledger.transitions import foreseen

_REPLACED = (
    *("state", "pipeline", "store", "folder", "flags", "envelope", "prefix", "blob", "sha256", "size"),
    *("message_id", "received_at", "outcome", "error", "finished_at", "owner", "crashes", "epoch"),
)
# Only a wanted row, which nobody can have claimed, takes new values.
_RECORD = sql(f"""
    INSERT INTO message (mailbox, source_key, {", ".join(_REPLACED)}, rung_at, lease_until)
    VALUES (:mailbox, :source_key, {", ".join(f":{name}" for name in _REPLACED)}, NOW, NOW + :period)
    ON CONFLICT (mailbox, source_key) DO UPDATE SET
        {", ".join(f"{name} = excluded.{name}" for name in _REPLACED)},
        rung_at = excluded.rung_at, lease_until = excluded.lease_until, tries = 0, next_try_at = 0
    WHERE message.state = 'wanted' AND excluded.state <> 'wanted'
    RETURNING id, source_key
""")
_BLOB = sql("""
    INSERT INTO blob (name, sha256, size, bytes, created_at) VALUES (:name, :sha256, :size, :bytes, NOW)
""")
_KNOWN = sql("SELECT id, source_key, state FROM message WHERE mailbox = :mailbox AND source_key IN :keys")
_IDENTITIES = sql("SELECT source_key FROM identity WHERE mailbox = :mailbox AND source_key IN :keys")
_NEWEST = sql("""
    SELECT source_key, state, (finished_at + :resume_for <= NOW) AS over FROM message
    WHERE mailbox = :mailbox AND (source_key = :key OR source_key BETWEEN :first AND :last)
    ORDER BY id DESC LIMIT 1
""")
_OFFERED_AGAIN = sql("""
    UPDATE message SET
        rung_at = NOW,
        state = CASE WHEN state <> 'abandoned' THEN state WHEN plan IS NULL THEN 'received' ELSE 'planned' END,
        finished_at = CASE WHEN state <> 'abandoned' THEN finished_at END
    WHERE id IN :ids
""")
_ADVANCE = sql("""
    INSERT INTO cursor (mailbox, folder, uidvalidity, next, reconciled_at)
    VALUES (:mailbox, :folder, :uidvalidity, :next, :reconciled_at)
    ON CONFLICT (mailbox, folder) DO UPDATE
    SET uidvalidity = excluded.uidvalidity, next = excluded.next, reconciled_at = excluded.reconciled_at
""")


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
            gone = frozenset(connection.column("source_key", _IDENTITIES, mailbox=mailbox, keys=keys))
        elif resume_for is not None:
            keys = [_generation(connection, mailbox, key, resume_for) for key in keys]
        entries = prepare(arrivals, keys, gone)
        new = _insert(connection, mailbox, entries, lease)
        _insert_blobs(connection, [entry for entry in entries.values() if entry.key in new])
        plans = {number: one for key, number in new.items() if (one := entries[key].arrival.foreseen) is not None}
        if plans:
            foreseen(connection, plans)
        known = _known(connection, mailbox, [key for key in entries if key not in new])
        ids = [number for number, state in known.values() if state not in ENDED or state == State.ABANDONED]
        if resume_for is not None and ids:
            connection.run(_OFFERED_AGAIN, ids=ids)
        claims = {claim.id: claim for claim in claim_rows(connection, ids, lease)} if lease and ids else {}
        for cursor in cursors:
            _advance(connection, mailbox, cursor)
    answers = {key: Recorded(source_key=key, id=None, new=False, state=State.SETTLED) for key in gone}
    for key, (number, state) in known.items():
        answers[key] = Recorded(source_key=key, id=number, new=False, state=state, claim=claims.get(number))
    for key, number in new.items():
        claim = fresh_claim(mailbox, number, entries[key], lease) if lease else None
        answers[key] = Recorded(source_key=key, id=number, new=True, state=entries[key].state, claim=claim)
    return _in_order(keys, answers)


def insert_arrivals(connection: Connection, mailbox: str, arrivals: Sequence[Arrival]) -> None:
    """Record arrivals inside a transaction; known keys are left alone."""
    keys = [indexed(arrival.source_key) for arrival in arrivals]
    entries = prepare(arrivals, keys, frozenset())
    new = _insert(connection, mailbox, entries, None)
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
    found = connection.row(
        _NEWEST, mailbox=mailbox, key=key, first=f"{key}~", last=f"{key}~~", resume_for=span(resume_for)
    )
    if found is None:
        return key
    if found["state"] not in ENDED or found["state"] == State.ABANDONED or not found["over"]:
        return str(found["source_key"])
    return f"{key}~{int(found['source_key'][len(key) + 1 :] or '1') + 1}"


def _insert(connection: Connection, mailbox: str, entries: Mapping[str, Entry], lease: Lease | None) -> dict[str, int]:
    """Key and id of the rows that are new, or were wanted and have their bytes now."""
    # In one order everywhere, so that two writers on PostgreSQL wait for each other instead of dying.
    values = [_values(mailbox, entries[key], lease) for key in sorted(entries)]
    return {found["source_key"]: found["id"] for found in connection.rows_of_all(_RECORD, values)}


def _values(mailbox: str, entry: Entry, lease: Lease | None) -> dict[str, object]:
    values = entry.columns | {"mailbox": mailbox, "source_key": entry.key, "state": entry.state.value}
    if lease is None or entry.state != State.RECEIVED:
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
    connection.run_all(_BLOB, rows.values())


def _known(connection: Connection, mailbox: str, keys: Sequence[str]) -> dict[str, tuple[int, State]]:
    if not keys:
        return {}
    rows = connection.rows(_KNOWN, mailbox=mailbox, keys=keys)
    return {found["source_key"]: (found["id"], State(found["state"])) for found in rows}


def _advance(connection: Connection, mailbox: str, to: Cursor) -> None:
    connection.run(
        _ADVANCE,
        mailbox=mailbox,
        folder=clean(to.folder),
        uidvalidity=to.uidvalidity,
        next=to.next,
        reconciled_at=None if to.reconciled_at is None else micros(to.reconciled_at),
    )
