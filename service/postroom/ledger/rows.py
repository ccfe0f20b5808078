"""What goes into the ledger and comes out of it: frozen values without a database in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from postroom.errors import Permanent, PostroomError
from postroom.ledger.columns import message_key
from postroom.spool import Blob


class State(StrEnum):
    """Of a message."""

    WANTED = "wanted"  # known by its key, bytes not yet ours
    RECEIVED = "received"
    PLANNED = "planned"
    DONE = "done"
    SETTLED = "settled"
    DEAD = "dead"
    ABANDONED = "abandoned"
    DROPPED = "dropped"


class EffectState(StrEnum):
    """Of an effect."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"


ENDED = (State.SETTLED, State.DEAD, State.ABANDONED, State.DROPPED)
OPEN = (State.RECEIVED, State.PLANNED)


@dataclass(frozen=True, slots=True)
class End:
    """How a message ends with its arrival, because there is nothing for rules to do: `own` (we put it there), or a
    dead letter that stays where it is, with the reason."""

    state: Literal[State.SETTLED, State.DEAD]
    outcome: str | None = None
    error: str | None = None


OWN = End(State.SETTLED, outcome="own")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One message as a source hands it over.

    `content`: small ones as bytes, which then lie in the ledger; None where only the key is known yet
    (`wanted`). Arrivals of one batch that carry the same object share one blob. `end`: it goes no further; no
    bytes of it are kept.
    """

    source_key: str
    pipeline: str
    received: datetime
    content: bytes | Blob | None
    sender: str | None = None
    recipients: tuple[str, ...] = ()
    store: str | None = None
    folder: str = ""
    flags: frozenset[str] = frozenset()
    message_id: str | None = None
    prefix: bytes = b""  # Return-Path, Received, Delivered-To that we add on top
    sha256: str | None = None  # where the hash is known and `content` is None
    size: int = 0  # likewise
    end: End | None = None
    foreseen: "Foreseen | None" = None


@dataclass(frozen=True, slots=True)
class Origin:
    """The message that an effect belongs to."""

    mailbox: str
    source_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far a folder of a mailbox has been recorded; stored with the batch that went so far."""

    folder: str
    uidvalidity: int
    next: int
    reconciled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """All that waits now: one commit."""

    arrivals: tuple[Arrival, ...]
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A message's row. Without its plan where the query says so."""

    id: int
    mailbox: str
    source_key: str
    state: State
    outcome: str | None = None
    pipeline: str
    store: str | None
    folder: str
    flags: frozenset[str]
    sender: str | None
    recipients: tuple[str, ...]
    prefix: bytes
    blob: str | None
    sha256: str | None
    size: int
    message_id: str | None
    received_at: datetime
    plan: str | None = None
    planned_at: datetime | None = None
    crashes: int = 0  # claims that never ended, the running one included
    tries: int = 0  # temporary failures of planning
    next_try_at: datetime | None = None  # None: at once
    error: str | None = None
    finished_at: datetime | None = None

    @property
    def key(self) -> str:
        """The stable name of this message: holder of its reservations, root of its effects' keys."""
        return message_key(self.mailbox, self.source_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRecord:
    """An effect as the plan gives it. `place`: it puts the message where it ends up. `edits`: how many of the
    plan's edits it sees. `detail`: the effect as JSON."""

    key: str
    ordinal: int
    word: str
    target: str
    place: bool
    repeatable: bool
    edits: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """A plan that was made before its message was taken, and is stored with it. `receipts`: of effects that are done
    as soon as the source has its answer, by their keys."""

    plan: str
    effects: tuple[EffectRecord, ...]
    receipts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRow:
    """An effect as the ledger has it.

    `uncertain`: an earlier try may have worked. `due`: may be tried now.
    """

    id: int
    message: int
    record: EffectRecord
    state: EffectState
    uncertain: bool
    crashes: int  # runs whose worker died
    tries: int  # temporary failures
    first_try_at: datetime | None
    next_try_at: datetime | None
    due: bool
    receipt: str | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A lease on one row. `content`: its bytes, where they lie in the ledger.

    Every write under it says owner and epoch, and raises Fenced once another has the row.
    """

    row: Row
    owner: str
    epoch: int
    content: bytes | None = None
    effects: tuple[EffectRow, ...] = ()  # of the stored plan, in order

    @property
    def id(self) -> int:
        """The message."""
        return self.row.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An arrival that is durable.

    `new`: its row or its bytes were not there before. `state`: as found. `id`: None where only the identity
    of a row that is long gone was found. `claim`: where asked for and free.
    """

    source_key: str
    id: int | None
    new: bool
    state: State
    claim: Claim | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An arrival that the database will never take; its neighbours were recorded."""

    source_key: str
    error: Permanent


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRecord:
    """What `planned` stores: the plan as JSON, and its effects."""

    claim: Claim
    plan: str
    effects: tuple[EffectRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The effect was done. `receipt`: JSON. `memory`: space, key and period to remember with it; the holder is the
    effect."""

    key: str
    receipt: str
    memory: tuple[str, str, timedelta] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """The effect failed for now; the next try is not before `at`.

    `uncertain`: it may have worked after all.
    """

    key: str
    error: str
    at: datetime
    uncertain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The effect failed for good, or its operator wants to look first where it is `uncertain`."""

    key: str
    error: str
    uncertain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of a claim's effects, stored as one.

    `keep`: takes the place of the plan's place effect of its ordinal, because another effect died; or is one more,
    because that one died itself. `settle`: the source has nothing more to do, so that a message whose last effect
    this was goes from planned to settled at once. `release`: the claim ends here; a message that reaches its end is
    released in any case.
    """

    claim: Claim
    outcomes: tuple[Done | Later | Failed, ...] = ()
    keep: EffectRecord | None = None
    settle: bool = False
    outcome: str | None = None  # kept, moved, gone …
    release: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The source has confirmed. `outcome`: kept, moved, gone or vanished. `own`: copies and moves of ours under the
    keys that they have where they are now, so that they are not taken for new mail."""

    message: int
    outcome: Literal["kept", "moved", "gone", "vanished"]
    own: tuple[Arrival, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsettled:
    """The source did not do it. Temporary errors are tried again by the schedule; a permanent one makes a dead letter,
    and the message stays where it is."""

    message: int
    error: PostroomError


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Nothing is to be done at the source before that time (`keep-on-server`); no failure, and not asked until then."""

    message: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What of a mailbox is being worked on right now, without what waits for a later try."""

    messages: int
    octets: int


Decision = Literal["take", "skip"]
"""What a person says about a mailbox that paused: take what is there as new mail, or leave it alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A mailbox as its watcher saw it last. `changed_at`: when it connected or lost the connection. `looked_at`: when
    it was last looked through to its end. `refused`, `paused`: sentences."""

    mailbox: str
    owner: str
    connected: bool
    changed_at: datetime
    looked_at: datetime | None = None
    refused: str | None = None
    paused: str | None = None
    reconnects: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What `find` looks for; everything given must hold. Newest first; `before` pages on from an id."""

    states: tuple[State, ...] = ()
    mailbox: str | None = None
    message_id: str | None = None
    before: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One message with all its effects; those of earlier plans have negative ordinals and come first."""

    row: Row
    effects: tuple[EffectRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The ledger at a glance, for `status` and metrics."""

    messages: Mapping[State, int] = field(default_factory=dict)
    pending: int = 0  # effects
    oldest_due: timedelta | None = None  # how long the message that has waited longest could have been worked on


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long rows and blobs are kept after their end; None: for ever.

    `identities`: mailboxes whose source keys are remembered longer, because the source still lists them; for
    `hashes` at least, after which those of the mailboxes in `fading` are forgotten whatever the source says.
    """

    settled: timedelta | None
    dead: timedelta | None = None
    identities: frozenset[str] = frozenset()
    fading: frozenset[str] = frozenset()
    hashes: timedelta = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retained:
    """What one round of retention removed; `blobs` are names whose bytes the caller deletes from the spool
    now."""

    rows: int
    blobs: tuple[str, ...]
