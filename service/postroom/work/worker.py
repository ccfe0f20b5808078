"""The work on a claimed message: plan it once, store the plan, then do its effects and report what became of them.

`postroom filter` and the queue's tasks both come through here. Whoever calls holds the claim, so nobody else does.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from postroom import steps
from postroom.errors import Fenced, Permanent, Temporary
from postroom.ledger import Claim, EffectState, Ledger, PlanRecord, Row
from postroom.logs import Event, Log
from postroom.message import parse
from postroom.metrics import UNMEASURED, Meter
from postroom.pipeline.decisions import keep
from postroom.pipeline.pipeline import Pipelines
from postroom.pipeline.plan import Plan
from postroom.pipeline.planner import plan
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import Envelope, Home, View
from postroom.settings.model import Retry
from postroom.spool import Spool
from postroom.work.job import Job, Raw, Seat, Task, Verdict, describe, record, reply_in, waiting
from postroom.work.order import groups
from postroom.work.performer import Performer
from postroom.work.recent import Recent

# Renewed while the work goes on; a process that is gone loses its lease at once.
LEASE = timedelta(minutes=3)


class Postponed(Temporary):
    """The message waits, and its claim has ended."""


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

    def process(self, claim: Claim, home: Home, *, settle: bool, patient: bool = True) -> Verdict:
        """Plan where there is no plan yet, do what may be done now, report it.

        `settle`: the source has nothing more to do. `patient`: effects wait for their next try. Raises Fenced when
        the claim is lost, Temporary when planning has to wait; the claim has ended when this returns or raises.
        """
        with self._opened(claim) as raw:
            if self._crashes_too_often(claim):
                return self._give_up(claim, raw, home, "its processing crashed too often")
            job = self._begun(claim, raw, home)
            self._store([job])
            self._performer().perform(job, patient=patient)
            self.ledger.report([job.report(settle=settle)])
            return self._verdict(job)

    def process_all(self, claims: Sequence[Claim], seat: Callable[[Row], Seat]) -> None:
        """The same for many, with one commit for all their plans and one for what became of them.

        Nothing of one message harms another's work. What is lost to another worker is left to it.
        """
        with ExitStack() as stack:
            jobs = [job for claim in claims if (job := self._tried(claim, seat, stack)) is not None]
            jobs = self._together(jobs, self._store)
            performer = self._performer()
            for group in groups(jobs, self.tools):
                self._carry_out(group, performer)

    def _performer(self) -> Performer:
        """For one batch, which has its own view of the memory."""
        memory = Recent(self.tools.memory)
        return Performer(
            ledger=self.ledger,
            tools=replace(self.tools, memory=memory),
            retry=self.retry,
            log=self.log,
            meter=self.meter,
            recent=memory,
        )

    def _carry_out(self, jobs: list[Job], performer: Performer) -> None:
        """Perform, with one commit before what cannot be repeated and one for what became of all."""
        jobs = self._together(jobs, self._start)
        jobs = performer.perform_together(jobs)
        ended = [job for job in jobs if job.ended]
        ended += self._together([job for job in jobs if not job.ended], performer.report)
        for job in ended:
            self._verdict(job)

    def _start(self, jobs: list[Job]) -> None:
        self.ledger.started_all([(job.claim, task.record.key) for job in jobs for task in job.risks])
        for job in jobs:
            for task in job.risks:
                task.begun = True

    def _tried(self, claim: Claim, seat: Callable[[Row], Seat], stack: ExitStack) -> Job | None:
        """Begin on one of many. None: it has to wait, or was given up, and its claim has ended."""
        row = claim.row
        try:
            at = seat(row)
            raw = stack.enter_context(self._opened(claim))
            if self._crashes_too_often(claim):
                self._give_up(claim, raw, at.home, "its processing crashed too often")
                return None
            job = self._begun(claim, raw, at.home, settles=at.settles)
            job.bounces = at.bounces
            return job
        except Fenced:
            return None
        except Postponed:
            return None
        except Exception as error:  # the message waits in the ledger
            told = describe(error)
            self.log.warning("effect.later", mailbox=row.mailbox, message=claim.id)
            with suppress(Fenced):
                self.ledger.postponed(claim, told, self.tools.clock() + waiting(self.retry, row.tries, error))
            return None

    def _together(self, jobs: list[Job], store: Callable[[list[Job]], None]) -> list[Job]:
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
    def _opened(self, claim: Claim) -> Iterator[Raw]:
        """The original bytes, from the ledger or the spool. Raises Temporary when they cannot be read."""
        if claim.content is not None:
            yield claim.content
            return
        assert claim.row.blob is not None, "a claimed row has its bytes"
        with self.spool.open(claim.row.blob) as raw:
            yield raw

    def _begun(self, claim: Claim, raw: Raw, home: Home, *, settles: Callable[[Plan], bool] | None = None) -> Job:
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
            self.ledger.postponed(claim, told, now + waiting(self.retry, row.tries, error))
            raise Postponed(f"it cannot be planned now: {told}") from error
        self.meter.planned(made, view.message.known_defects)
        tasks = [Task(record=record(planned), effect=planned.effect) for planned in made.effects]
        return Job(claim=claim, plan=made, planned_at=now, raw=raw, home=home, tasks=tasks, fresh=True, settles=settles)

    def _store(self, jobs: Sequence[Job]) -> None:
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

    def _stored(self, claim: Claim, raw: Raw, home: Home, settles: Callable[[Plan], bool] | None) -> Job:
        assert claim.row.plan is not None
        tasks = [
            Task(
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
        return Job(claim=claim, plan=made, planned_at=planned_at, raw=raw, home=home, tasks=tasks, settles=settles)

    def _verdict(self, job: Job) -> Verdict:
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
        job = Job(claim=claim, plan=made, planned_at=claim.row.received_at, raw=raw, home=home, tasks=[])
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
