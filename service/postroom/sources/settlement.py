"""What is to be done at the source about a message whose other effects are all done."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from postroom.ledger.rows import Row, State
from postroom.message import Edit
from postroom.pipeline.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """`place` is where the message ends up: kept where it is, moved into `target`, or gone, as it lives elsewhere now
    or nowhere. `copies` are folders. Flags as IMAP writes them."""

    message: int
    key: str  # source key
    identity: str  # the stable name of the message, for our own marker
    folder: str
    place: Literal["kept", "moved", "gone"]
    target: str
    create: bool
    add: frozenset[str]
    remove: frozenset[str]
    copies: tuple[str, ...]
    edits: tuple[Edit, ...]
    discarded: bool  # the rules said `discard`; else a message is gone because a step delivered it
    sha256: str | None
    size: int
    received: datetime
    flags: frozenset[str]  # with which it came
    planned: datetime | None
    tries: int

    @classmethod
    def of(cls, row: Row) -> "Settlement":
        """From a row that is done, with its plan."""
        assert row.state is State.DONE
        plan = Plan.model_validate_json(row.plan) if row.plan else Plan(pipeline=row.pipeline, version="")
        to = plan.settlement
        return cls(
            message=row.id,
            key=row.source_key,
            identity=row.key,
            folder=row.folder,
            place=to.place,
            target=to.folder,
            create=to.create,
            add=to.add,
            remove=to.remove,
            copies=to.copies,
            edits=plan.edits,
            discarded=plan.discards,
            sha256=row.sha256,
            size=row.size,
            received=row.received_at,
            flags=row.flags,
            planned=row.planned_at,
            tries=row.tries,
        )
