"""Arrivals as they are about to be stored: clean, hashed, each with its blob."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from postroom.ledger.claims import Lease
from postroom.ledger.columns import clean, clean_error, envelope_text, flags_text, indexed, micros
from postroom.ledger.rows import Arrival, Claim, Row, State
from postroom.spool import Blob, fresh_name


@dataclass(frozen=True, slots=True)
class Entry:
    """An arrival under its clean key. `columns`: those of its row that it alone decides."""

    arrival: Arrival
    key: str
    blob: Blob | None
    columns: dict[str, object]

    @property
    def state(self) -> State:
        if self.arrival.end is not None:
            return self.arrival.end.state
        return State.WANTED if self.blob is None else State.RECEIVED


def prepare(arrivals: Sequence[Arrival], keys: Sequence[str], leaving: Collection[str]) -> dict[str, Entry]:
    """Entries by key, the first of equal ones, without the keys in `leaving`."""
    shared: dict[int, Blob] = {}
    entries: dict[str, Entry] = {}
    for arrival, key in zip(arrivals, keys, strict=True):
        if key not in entries and key not in leaving:
            content = _blob(arrival.content, shared) if arrival.end is None else None
            entries[key] = Entry(arrival, key, content, _columns(arrival, content))
    return entries


def fresh_claim(mailbox: str, number: int, entry: Entry, lease: Lease) -> Claim | None:
    """The claim on a row that this commit made, without reading it back; none on one without bytes."""
    arrival = entry.arrival
    if entry.state is not State.RECEIVED or entry.blob is None:
        return None
    row = Row(
        id=number,
        mailbox=mailbox,
        source_key=entry.key,
        state=entry.state,
        pipeline=clean(arrival.pipeline),
        store=None if arrival.store is None else clean(arrival.store),
        folder=clean(arrival.folder),
        flags=frozenset(flags_text(arrival.flags).split()),
        sender=None if arrival.sender is None else clean(arrival.sender),
        recipients=tuple(clean(recipient) for recipient in arrival.recipients),
        prefix=arrival.prefix,
        blob=entry.blob.name,
        sha256=entry.blob.sha256,
        size=entry.blob.size,
        message_id=None if arrival.message_id is None else indexed(arrival.message_id),
        received_at=arrival.received,
        crashes=1,
    )
    content = arrival.content if isinstance(arrival.content, bytes) else None
    return Claim(row=row, owner=str(lease.owner), epoch=1, content=content)


def _blob(content: bytes | Blob | None, shared: dict[int, Blob]) -> Blob | None:
    if not isinstance(content, bytes):
        return content
    # The arrival keeps the object alive, so that no other gets its number meanwhile.
    if id(content) not in shared:
        shared[id(content)] = Blob(fresh_name(), hashlib.sha256(content).hexdigest(), len(content))
    return shared[id(content)]


def _columns(arrival: Arrival, content: Blob | None) -> dict[str, object]:
    end = arrival.end
    return {
        "outcome": end.outcome if end else None,
        "error": clean_error(end.error) if end and end.error else None,
        "finished_at": micros(arrival.received) if end else None,
        "pipeline": clean(arrival.pipeline),
        "store": None if arrival.store is None else clean(arrival.store),
        "folder": clean(arrival.folder),
        "flags": flags_text(arrival.flags),
        "envelope": envelope_text(arrival.sender, arrival.recipients),
        "prefix": arrival.prefix,
        "blob": content.name if content else None,
        "sha256": content.sha256 if content else arrival.sha256,
        "size": content.size if content else arrival.size,
        "message_id": None if arrival.message_id is None else indexed(arrival.message_id),
        "received_at": micros(arrival.received),
    }
