"""A claimed message on its way through its effects, and what is said of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from mmap import mmap
from typing import Literal, TypeAlias, assert_never

from postroom.errors import PostroomError, Temporary
from postroom.ledger import Claim, Done, EffectRecord, EffectState, Failed, Later, Report
from postroom.message import edited
from postroom.metrics import Result
from postroom.pipeline.outcome import Effect, Letter, Receipt
from postroom.pipeline.plan import Plan, Planned
from postroom.pipeline.view import Envelope, Home
from postroom.settings.model import Retry
from postroom.transports.publishing import Together

Raw: TypeAlias = bytes | mmap


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a message is kept, and whether its source has nothing more to do once a plan is carried out."""

    home: Home
    settles: Callable[[Plan], bool]
    bounces: bool = False  # a pure relay: whose sender may be told where nothing can be delivered or kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How far a message came. `dead`: something failed for good, and the message was kept."""

    state: Literal["done", "later", "dead"]
    plan: Plan
    reply: str = ""  # what a rejecting effect tells the source
    error: str = ""


@dataclass(kw_only=True)
class Task:
    """One effect of a claim: as planned just now, or as the ledger has it from an earlier try."""

    record: EffectRecord
    effect: Effect
    state: EffectState = EffectState.PENDING
    uncertain: bool = False
    tries: int = 0
    due: bool = True
    receipt: str | None = None
    error: str = ""
    job: "Job | None" = None  # whose files are published together with those of others
    begun: bool = False  # recorded as running

    @property
    def is_risky(self) -> bool:
        """Whether it is to be recorded before it starts."""
        return self.state is EffectState.PENDING and self.due and not self.effect.repeatable and not self.begun


@dataclass(kw_only=True)
class Job:
    """One claim on its way through its effects. `outcomes` are not in the ledger yet."""

    claim: Claim
    plan: Plan
    planned_at: datetime
    raw: Raw
    home: Home
    tasks: list[Task]
    fresh: bool = False  # planned now, and not stored yet
    lost: bool = False  # the claim went to another worker
    bounces: bool = False
    ended: bool = False  # all of it is in the ledger
    settles: Callable[[Plan], bool] | None = None  # whether the source has nothing more to do; None: never has
    keep: EffectRecord | None = None
    outcomes: list[Done | Later | Failed] = field(default_factory=list)
    together: "Together[Task] | None" = None  # with whose files this one's are published; None: at once

    @property
    def ordinary(self) -> list[Task]:
        """All but the place and what is remembered."""
        return [task for task in self.tasks if not task.record.place and not task.effect.last]

    @property
    def died(self) -> bool:
        return any(task.state is EffectState.DEAD for task in self.tasks)

    @property
    def risks(self) -> list[Task]:
        """What is to be recorded before it starts, of the effects that come first."""
        return [task for task in self.tasks if task.is_risky and not task.record.place and not task.effect.last]

    @property
    def waits(self) -> bool:
        return any(task.state is EffectState.PENDING for task in self.tasks)

    @property
    def settled(self) -> bool:
        """Whether the source has nothing more to do once nothing waits."""
        return self.settles is None or self.settles(self.plan)

    def letter(self, record: EffectRecord, *, uncertain: bool = False) -> Letter:
        row = self.claim.row
        return Letter(
            key=record.key,
            chunks=tuple(map(memoryview, edited(self.raw, self.plan.edits[: record.edits]))),
            prefix=row.prefix,
            envelope=Envelope(sender=row.sender, recipients=row.recipients),
            mailbox=row.mailbox,
            received=row.received_at,
            again=self.claim.epoch > 1,  # the first claim on a row is of epoch 1
            uncertain=uncertain,
        )

    def report(self, *, settle: bool) -> Report:
        return Report(
            claim=self.claim,
            outcomes=tuple(self.outcomes),
            keep=self.keep,
            settle=settle,
            outcome=self.plan.settlement.place,
        )


def result(outcome: Done | Later | Failed) -> Result:
    match outcome:
        case Done():
            return "done"
        case Later():
            return "uncertain" if outcome.uncertain else "later"
        case Failed():
            return "dead"
        case _:
            assert_never(outcome)


def delay(retry: Retry, tries: int) -> timedelta:
    """How long to wait after so many earlier failures."""
    # In seconds: a timedelta has an end.
    seconds = retry.first.total_seconds() * retry.factor ** min(tries, 32)
    return timedelta(seconds=min(seconds, retry.most.total_seconds()))


def waiting(retry: Retry, tries: int, error: Exception) -> timedelta:
    """The same after this error, which may know better."""
    after = error.after if isinstance(error, Temporary) else None
    return delay(retry, tries) if after is None else min(after, retry.most)


def record(planned: Planned) -> EffectRecord:
    """The ledger's record of a planned effect."""
    effect = planned.effect
    return EffectRecord(
        key=planned.key,
        ordinal=planned.ordinal,
        word=effect.word,
        target=effect.target,
        place=planned.place,
        repeatable=effect.repeatable,
        edits=planned.edits,
        detail=effect.model_dump_json(),
    )


def reply_in(receipts: Iterable[str | None]) -> str:
    """What a rejecting effect among these has to tell the source; empty: nothing."""
    replies = (Receipt.model_validate_json(receipt).reply for receipt in receipts if receipt)
    return next(filter(None, replies), "")


def describe(error: Exception) -> str:
    """Text for ledger and operator: what our own errors say; of others the kind only, they may quote the message."""
    if isinstance(error, PostroomError):
        return str(error)
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {error.strerror}"
    return f"unexpected {type(error).__name__}"
