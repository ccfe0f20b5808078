"""The work on a claimed message: plan it once, store the plan, then do its effects and report what became of them.

`postroom filter` and the queue's tasks both come through here. Whoever calls holds the claim, so nobody else does.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from mmap import mmap
from time import perf_counter
from typing import Literal, TypeAlias, assert_never

from postroom import steps
from postroom.errors import Fenced, Permanent, PostroomError, Temporary, Uncertain
from postroom.ledger import (
    Claim,
    Done,
    EffectRecord,
    EffectState,
    Failed,
    Later,
    Ledger,
    PlanRecord,
    Report,
    Row,
)
from postroom.logs import Event, Log
from postroom.message import edited, parse
from postroom.metrics import UNMEASURED, Meter, Result
from postroom.pipeline.decisions import keep
from postroom.pipeline.outcome import Effect, Letter, Receipt, Remembered
from postroom.pipeline.pipeline import Pipelines
from postroom.pipeline.plan import Plan, Planned
from postroom.pipeline.planner import plan
from postroom.pipeline.tools import Memory, Reservation, Tools
from postroom.pipeline.view import Envelope, Home, View
from postroom.settings.model import Retry
from postroom.spool import Spool
from postroom.transports.publishing import Together

Raw: TypeAlias = bytes | mmap
# Renewed while the work goes on; a process that is gone loses its lease at once.
LEASE = timedelta(minutes=3)
SLOW = 0.02  # seconds from which an effect is recorded alone: the commit costs little beside it
GROUP = 16  # messages whose unrepeatable effects are recorded as begun in one commit


class _Postponed(Temporary):
    """The message waits, and its claim has ended."""


class _Recent:
    """The memory as a batch sees it: with what its own effects will be remembered for, in a commit to come."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._fresh: dict[tuple[str, str], str] = {}

    def add(self, what: Remembered, holder: str) -> None:
        self._fresh[what.space, what.key] = holder

    def reserve(self, space: str, key: str, holder: str, period: timedelta) -> Reservation:
        return self._memory.reserve(space, key, holder, period)

    def remember(self, space: str, key: str, holder: str, period: timedelta) -> bool:
        known = self._fresh.get((space, key))
        return self._memory.remember(space, key, holder, period) if known is None else known == holder

    def recall(self, space: str, key: str) -> bool:
        return (space, key) in self._fresh or self._memory.recall(space, key)


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
class _Task:
    """One effect of a claim: as planned just now, or as the ledger has it from an earlier try."""

    record: EffectRecord
    effect: Effect
    state: EffectState = EffectState.PENDING
    uncertain: bool = False
    tries: int = 0
    due: bool = True
    receipt: str | None = None
    error: str = ""
    job: "_Job | None" = None  # whose files are published together with those of others
    begun: bool = False  # recorded as running

    @property
    def is_risky(self) -> bool:
        """Whether it is to be recorded before it starts."""
        return self.state is EffectState.PENDING and self.due and not self.effect.repeatable and not self.begun


@dataclass(kw_only=True)
class _Job:
    """One claim on its way through its effects. `outcomes` are not in the ledger yet."""

    claim: Claim
    plan: Plan
    planned_at: datetime
    raw: Raw
    home: Home
    tasks: list[_Task]
    fresh: bool = False  # planned now, and not stored yet
    lost: bool = False  # the claim went to another worker
    bounces: bool = False
    ended: bool = False  # all of it is in the ledger
    settles: Callable[[Plan], bool] | None = None  # whether the source has nothing more to do; None: never has
    keep: EffectRecord | None = None
    outcomes: list[Done | Later | Failed] = field(default_factory=list)
    together: "Together[_Task] | None" = None  # with whose files this one's are published; None: at once

    @property
    def ordinary(self) -> list[_Task]:
        """All but the place and what is remembered."""
        return [task for task in self.tasks if not task.record.place and not task.effect.last]

    @property
    def died(self) -> bool:
        return any(task.state is EffectState.DEAD for task in self.tasks)

    @property
    def risks(self) -> list[_Task]:
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


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Plans and performs. `pipelines` gives what a pipeline's plan needs: itself and all that it runs."""

    ledger: Ledger
    spool: Spool
    tools: Tools
    pipelines: Callable[[str], Pipelines]
    retry: Retry
    log: Log
    plugins: Sequence[str] = ()  # whose effects may stand in the ledger
    meter: Meter = UNMEASURED
    recent: _Recent | None = None  # of the batch that is worked on

    def process(self, claim: Claim, home: Home, *, settle: bool, patient: bool = True) -> Verdict:
        """Plan where there is no plan yet, do what may be done now, report it.

        `settle`: the source has nothing more to do. `patient`: effects wait for their next try. Raises Fenced when
        the claim is lost, Temporary when planning has to wait; the claim has ended when this returns or raises.
        """
        with self.opened(claim.row) as raw:
            if self._crashes_too_often(claim):
                return self._give_up(claim, raw, home, "its processing crashed too often")
            job = self._begun(claim, raw, home)
            self._store([job])
            self._with(_Recent(self.tools.memory))._perform(job, patient=patient)
            self.ledger.report([self._reported(job, settle=settle)])
            return self._verdict(job)

    def process_all(self, claims: Sequence[Claim], seat: Callable[[Row], Seat]) -> None:
        """The same for many, with one commit for all their plans and one for what became of them.

        Nothing of one message harms another's work. What is lost to another worker is left to it.
        """
        inline = self.ledger.contents([claim.row.blob for claim in claims if claim.row.blob])
        with ExitStack() as stack:
            jobs = [job for claim in claims if (job := self._tried(claim, seat, inline, stack)) is not None]
            jobs = self._together(jobs, self._store)
            worker = self._with(_Recent(self.tools.memory))
            for group in _groups(jobs):
                worker._carry_out(group)

    def _with(self, memory: _Recent) -> "Worker":
        return replace(self, tools=replace(self.tools, memory=memory), recent=memory)

    def _carry_out(self, jobs: list[_Job]) -> None:
        """Perform, with one commit before what cannot be repeated and one for what became of all."""
        jobs = self._together(jobs, self._start)
        jobs = self._perform_together(jobs)
        ended = [job for job in jobs if job.ended]
        ended += self._together([job for job in jobs if not job.ended], self._report)
        for job in ended:
            self._verdict(job)

    def _start(self, jobs: list[_Job]) -> None:
        self.ledger.started_all([(job.claim, task.record.key) for job in jobs for task in job.risks])
        for job in jobs:
            for task in job.risks:
                task.begun = True

    def _tried(
        self, claim: Claim, seat: Callable[[Row], Seat], inline: Mapping[str, bytes], stack: ExitStack
    ) -> _Job | None:
        """Begin on one of many. None: it has to wait, or was given up, and its claim has ended."""
        row = claim.row
        try:
            at = seat(row)
            assert row.blob is not None, "a claimed row has its bytes"
            held = inline.get(row.blob)
            raw = stack.enter_context(self.spool.open(row.blob)) if held is None else held
            if self._crashes_too_often(claim):
                self._give_up(claim, raw, at.home, "its processing crashed too often")
                return None
            job = self._begun(claim, raw, at.home, settles=at.settles)
            job.bounces = at.bounces
            return job
        except Fenced:
            return None
        except _Postponed:
            return None
        except Exception as error:  # the message waits in the ledger
            told = describe(error)
            self.log.warning("effect.later", mailbox=row.mailbox, message=claim.id)
            with suppress(Fenced):
                self.ledger.postponed(claim, told, self.tools.clock() + delay(self.retry, row.tries))
            return None

    def _together(self, jobs: list[_Job], store: Callable[[list[_Job]], None]) -> list[_Job]:
        """Store something of all in one commit; answers those for which it was stored.

        Claims that went to others are left out and the rest tried again; values that the database refuses cost only
        their own message.
        """
        if not jobs:
            return []
        try:
            store(jobs)
        except Fenced:
            held = {claim.id for claim in self.ledger.renew([job.claim for job in jobs], LEASE)}
            left = [job for job in jobs if job.claim.id in held]
            return self._together(left, store) if len(left) < len(jobs) else []
        except Permanent as error:
            if len(jobs) > 1:
                return [done for job in jobs for done in self._together([job], store)]
            with suppress(Fenced):
                self.ledger.dead(jobs[0].claim, describe(error))
            return []
        return jobs

    def _crashes_too_often(self, claim: Claim) -> bool:
        return claim.row.crashes > self.retry.crashes

    @contextmanager
    def opened(self, row: Row) -> Iterator[Raw]:
        """The original bytes, from the ledger's own row or the spool. Raises Temporary when they cannot be read."""
        assert row.blob is not None, "a claimed row has its bytes"
        inline = self.ledger.content(row)
        if inline is not None:
            yield inline
            return
        with self.spool.open(row.blob) as raw:
            yield raw

    def _begun(self, claim: Claim, raw: Raw, home: Home, *, settles: Callable[[Plan], bool] | None = None) -> _Job:
        """The plan of a message, made now or stored before. Raises Temporary where planning has to wait."""
        row = claim.row
        if row.plan is not None:
            return self._stored(claim, raw, home, settles)
        now = self.tools.clock()
        view = View(
            message=parse(raw, limits=self.tools.limits),
            envelope=Envelope(sender=row.sender, recipients=row.recipients),
            mailbox=row.mailbox,
            key=row.key,
            home=home,
            received=row.received_at,
            now=now,
            folder=row.folder,
            flags=row.flags,
            prefix=row.prefix,
        )
        try:
            made = plan(self.pipelines(row.pipeline), row.pipeline, view, self.tools)
            for planned in made.effects:  # one that could not be read back must not get into the ledger
                steps.effect(planned.effect.word, self.plugins)
        except Exception as error:  # a scanner that is away, a rule that is broken by now: the message waits
            told = describe(error)
            self.ledger.postponed(claim, told, now + delay(self.retry, row.tries))
            raise _Postponed(f"it cannot be planned now: {told}") from error
        self.meter.planned(made, view.message.layout_defects)
        tasks = [_Task(record=record(planned), effect=planned.effect) for planned in made.effects]
        return _Job(
            claim=claim, plan=made, planned_at=now, raw=raw, home=home, tasks=tasks, fresh=True, settles=settles
        )

    def _store(self, jobs: Sequence[_Job]) -> None:
        """Store the plans that were made now, in one commit."""
        fresh = [job for job in jobs if job.fresh]
        if not fresh:
            return
        done = self.ledger.planned(
            [
                PlanRecord(
                    claim=job.claim,
                    plan=job.plan.model_dump_json(exclude={"effects"}),
                    effects=tuple(task.record for task in job.tasks),
                )
                for job in fresh
            ]
        )
        for task in [task for job in fresh for task in job.tasks if task.record.key in done]:
            task.state, task.receipt = EffectState.DONE, done[task.record.key]
        for job in fresh:
            self.log.info("message.planned", mailbox=job.claim.row.mailbox, message=job.claim.id)

    def _stored(self, claim: Claim, raw: Raw, home: Home, settles: Callable[[Plan], bool] | None) -> _Job:
        assert claim.row.plan is not None
        tasks = [
            _Task(
                record=row.record,
                effect=steps.effect(row.record.word, self.plugins).model_validate_json(row.record.detail),
                state=row.state,
                uncertain=row.uncertain,
                tries=row.tries + row.crashes,
                due=row.due,
                receipt=row.receipt,
                error=row.error or "",
            )
            for row in claim.effects
        ]
        made = Plan.model_validate_json(claim.row.plan)
        planned_at = claim.row.planned_at or claim.row.received_at
        return _Job(claim=claim, plan=made, planned_at=planned_at, raw=raw, home=home, tasks=tasks, settles=settles)

    def _perform(self, job: _Job, *, patient: bool) -> None:
        """Ordinary effects in order, each on its own; then the place, then what is remembered."""
        for phase in (self._ordinary, self._place, self._kept, self._last):
            phase(job, patient=patient)

    def _perform_together(self, jobs: Sequence[_Job]) -> list[_Job]:
        """The same for many, the files of each phase published together; answers those whose claims are still ours."""
        together = Together[_Task](self._unpublished)
        for phase in (self._ordinary, self._place, self._kept, self._last):
            try:
                for job in jobs:
                    self._phase(phase, job, together)
            finally:  # also when the ledger is away by now: files are left neither open nor half done
                together.finish()
        return [job for job in jobs if not job.lost]

    def _phase(self, phase: Callable[..., None], job: _Job, together: "Together[_Task]") -> None:
        if not job.lost:
            job.together = together
            try:
                phase(job, patient=True)
            except Fenced:
                job.lost = True
        if together.is_full:
            together.finish()

    def _ordinary(self, job: _Job, *, patient: bool) -> None:
        for task in job.ordinary:
            self._try(job, task, patient=patient)

    def _place(self, job: _Job, *, patient: bool) -> None:
        if any(task.state is EffectState.PENDING for task in job.ordinary):
            return
        for task in [task for task in job.tasks if task.record.place]:
            self._try(job, task, patient=patient)

    def _kept(self, job: _Job, *, patient: bool) -> None:
        """After the places of all: a place may fail only when its file is published."""
        del patient
        if job.died and not any(task.state is EffectState.PENDING for task in job.ordinary):
            self._keep_instead(job)

    def _last(self, job: _Job, *, patient: bool) -> None:
        if any(task.state is EffectState.PENDING for task in job.tasks if not task.effect.last):
            return
        for task in [task for task in job.tasks if task.effect.last]:
            if job.died and task.state is EffectState.PENDING:
                self._fail(job, task, "not remembered, because another effect failed for good")
            self._try(job, task, patient=patient)

    def _unpublished(self, task: _Task, error: OSError) -> None:
        """A file that was written could not be made durable after all."""
        job = task.job
        assert job is not None
        job.outcomes = [outcome for outcome in job.outcomes if outcome.key != task.record.key]
        task.state, task.receipt = EffectState.PENDING, None
        self._postpone(job, task, describe(error))

    def _keep_instead(self, job: _Job) -> None:
        """Something failed for good: whatever the rules said, the message is kept (RFC 5228 2.10.6)."""
        places = [task for task in job.tasks if task.record.place]
        if any(task.effect.word in ("keep", "bounce") and task.state is not EffectState.DEAD for task in places):
            return
        try:
            effect = job.home.deliver("keep", "", job.plan.settlement.add, create=True)
        except Permanent:  # a relay, where nothing can be kept: it stays as a dead letter
            effect = self._bounce(job)
            if effect is None:
                return
        job.plan = job.plan.model_copy(update={"settlement": job.plan.settlement.model_copy(update={"place": "kept"})})
        if effect is None:
            return
        ordinal = places[0].record.ordinal if places else len(job.tasks)
        made = keep(effect, message=job.claim.row.key, ordinal=ordinal, edits=len(job.plan.edits))
        task = _Task(record=record(made), effect=effect)
        job.keep = task.record
        job.tasks = [each for each in job.tasks if not each.record.place] + [task]
        if not effect.repeatable:  # it has to be in the ledger before it begins
            self.ledger.report([Report(claim=job.claim, outcomes=tuple(job.outcomes), keep=job.keep, release=False)])
            job.outcomes.clear()
            job.keep = None
        self._try(job, task, patient=False)

    def _bounce(self, job: _Job) -> Effect | None:
        """A report to the sender, where nothing was delivered and nobody is left who could be told."""
        from postroom.steps.bounce import BounceEffect, Failure
        from postroom.steps.forward import ForwardEffect

        sent = [(task, task.effect) for task in job.tasks if isinstance(task.effect, ForwardEffect)]
        died = [(task, effect) for task, effect in sent if task.state is EffectState.DEAD and effect.to]
        sender = job.claim.row.sender
        delivered = any(
            task.state is EffectState.DONE and (task.effect.delivers or task.effect.word == "forward")
            for task in job.tasks
        )
        if not (job.bounces and sender and died) or delivered:
            return None
        failures = tuple(Failure(recipient=effect.to, reason=task.error) for task, effect in died)
        return BounceEffect(to=sender, server=died[0][1].server, failures=failures)

    def _try(self, job: _Job, task: _Task, *, patient: bool) -> None:
        """Do one effect if it is its turn, and note what came of it."""
        if task.state is not EffectState.PENDING or (patient and not task.due):
            return
        tools = self.tools
        if job.together is not None:
            task.job, job.together.owner = job, task
            tools = replace(tools, publish=job.together.publish)
        if not task.effect.repeatable and job.together is not None:
            job.together.finish()  # before anything is recorded
        if not task.effect.repeatable and not task.begun:
            self.ledger.started(job.claim, task.record.key)
        began = perf_counter()
        try:
            receipt = task.effect.perform(job.letter(task.record, uncertain=task.uncertain), tools)
        except Fenced:
            raise
        except Permanent as error:
            self._fail(job, task, describe(error))
        except Uncertain as error:
            if error.holds:
                self._fail(job, task, describe(error), uncertain=True)
            else:
                self._postpone(job, task, describe(error), uncertain=True)
        except Temporary as error:
            self._postpone(job, task, describe(error), after=error.after)
        except Exception as error:  # an unknown error is temporary; the message stays in the ledger
            self._postpone(job, task, describe(error))
        else:
            task.state, task.receipt = EffectState.DONE, receipt.model_dump_json()
            job.outcomes.append(self._done(task, receipt))
            self.log.info("effect.done", message=job.claim.id, word=task.effect.word)
        took = perf_counter() - began
        self.meter.effect(task.effect.word, _result(job.outcomes[-1]), took)
        if not task.effect.repeatable:
            if job.together is not None:
                job.together.finish()
            self._flush(job, slow=took > SLOW)

    def _done(self, task: _Task, receipt: Receipt) -> Done:
        what, key = receipt.remembered, task.record.key
        assert task.receipt is not None
        if what is None:
            return Done(key=key, receipt=task.receipt)
        if self.recent is not None:
            self.recent.add(what, key)
        return Done(key=key, receipt=task.receipt, memory=(what.space, what.key, what.period))

    def _postpone(
        self, job: _Job, task: _Task, error: str, *, uncertain: bool = False, after: timedelta | None = None
    ) -> None:
        now = self.tools.clock()
        # Keeping is the last resort and never given up.
        if now - job.planned_at > self.retry.for_ and task.tries and task.effect.word != "keep":
            self._fail(job, task, f"given up: {error}", uncertain=uncertain)
            return
        task.error = error
        at = now + (delay(self.retry, task.tries) if after is None else min(after, self.retry.most))
        job.outcomes.append(Later(key=task.record.key, error=error, at=at, uncertain=uncertain))
        event: Event = "effect.uncertain" if uncertain else "effect.later"
        self.log.info(event, message=job.claim.id, word=task.effect.word)

    def _fail(self, job: _Job, task: _Task, error: str, *, uncertain: bool = False) -> None:
        if task.effect.word == "keep":
            self._postpone(job, task, error)
            return
        task.state, task.error = EffectState.DEAD, error
        job.outcomes.append(Failed(key=task.record.key, error=error, uncertain=uncertain))
        self.log.warning("effect.dead", message=job.claim.id, word=task.effect.word)

    def _flush(self, job: _Job, *, slow: bool) -> None:
        """Record what cannot be repeated at once, before the next effect begins; the last report ends the message."""
        if job.waits:
            self.ledger.report([Report(claim=job.claim, outcomes=tuple(job.outcomes), release=False)])
            job.outcomes.clear()
        elif job.together is not None and not job.died and slow:
            # Other messages come first: their work may take long, too, and this one's last report cannot wait for it.
            self._report([job])
            job.ended = True

    def _report(self, jobs: Sequence[_Job]) -> None:
        self.ledger.report([self._reported(job, settle=job.settled) for job in jobs])

    def _reported(self, job: _Job, *, settle: bool) -> Report:
        return Report(
            claim=job.claim,
            outcomes=tuple(job.outcomes),
            keep=job.keep,
            settle=settle,
            outcome=job.plan.settlement.place,
        )

    def _verdict(self, job: _Job) -> Verdict:
        error = next((task.error for task in job.tasks if task.error and task.state is not EffectState.DONE), "")
        if job.waits:
            return Verdict(state="later", plan=job.plan, error=error)
        event: Event = "message.dead" if job.died else "message.done"
        row = job.claim.row
        self.log.info(event, mailbox=row.mailbox, message=job.claim.id)
        self.meter.worked(row.mailbox, self.tools.clock() - row.received_at)
        if job.died or job.settled:
            self.meter.ended(row.mailbox, row.pipeline, "dead" if job.died else job.plan.settlement.place)
        reply = reply_in(task.receipt for task in job.tasks)
        return Verdict(state="dead" if job.died else "done", plan=job.plan, reply=reply, error=error)

    def _give_up(self, claim: Claim, raw: Raw, home: Home, reason: str) -> Verdict:
        """A message that kills its workers is kept as it came, unread, and set aside."""
        made = Plan(pipeline=claim.row.pipeline, version="")
        job = _Job(claim=claim, plan=made, planned_at=claim.row.received_at, raw=raw, home=home, tasks=[])
        placed = any(each.record.place and each.state is EffectState.DONE for each in claim.effects)
        effect = None
        if not placed:
            with suppress(Permanent):  # a relay, where nothing can be kept: it stays as a dead letter
                effect = home.deliver("keep", "", frozenset(), create=True)
        if effect is not None:
            kept = record(keep(effect, message=claim.row.key, ordinal=0, edits=0))
            effect.perform(job.letter(kept), self.tools)
        self.ledger.dead(claim, reason)
        self.log.warning("message.dead", mailbox=claim.row.mailbox, message=claim.id)
        self.meter.ended(claim.row.mailbox, claim.row.pipeline, "dead")
        return Verdict(state="dead", plan=made, error=reason)


def _groups(jobs: Sequence[_Job]) -> Iterator[list[_Job]]:
    """All that can be repeated at once; the rest in small groups: of these a crash leaves some that may have been
    done."""
    yield [job for job in jobs if not job.risks]
    risky = [job for job in jobs if job.risks]
    for start in range(0, len(risky), GROUP):
        yield risky[start : start + GROUP]


def _result(outcome: Done | Later | Failed) -> Result:
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
    return min(retry.first * retry.factor ** min(tries, 32), retry.most)


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
