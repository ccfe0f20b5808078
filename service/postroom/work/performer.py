"""Doing effects: in their order, each on its own, with the files of many published together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from time import perf_counter

from postroom.errors import Fenced, Permanent, Temporary, Uncertain
from postroom.ledger import Done, EffectState, Failed, Later, Ledger, Report
from postroom.logs import Event, Log
from postroom.metrics import Meter
from postroom.pipeline.decisions import keep
from postroom.pipeline.outcome import Effect, Receipt
from postroom.pipeline.tools import Tools
from postroom.settings.model import Retry
from postroom.transports.publishing import Together
from postroom.work.job import Job, Task, delay, describe, record, result
from postroom.work.recent import Recent

SLOW = 0.02  # seconds from which an effect is recorded alone: the commit costs little beside it


@dataclass(frozen=True, kw_only=True)
class Performer:
    """Does the effects of one batch. `recent`: what they will be remembered for."""

    ledger: Ledger
    tools: Tools
    retry: Retry
    log: Log
    meter: Meter
    recent: Recent

    def perform(self, job: Job, *, patient: bool) -> None:
        """Ordinary effects in order, each on its own; then the place, then what is remembered."""
        for phase in (self._ordinary, self._place, self._kept, self._last):
            phase(job, patient=patient)

    def perform_together(self, jobs: Sequence[Job]) -> list[Job]:
        """The same for many, the files of each phase published together; answers those whose claims are still ours."""
        together = Together[Task](self._unpublished)
        for phase in (self._ordinary, self._place, self._kept, self._last):
            try:
                for job in jobs:
                    self._phase(phase, job, together)
            finally:  # also when the ledger is away by now: files are left neither open nor half done
                together.finish()
        return [job for job in jobs if not job.lost]

    def _phase(self, phase: Callable[..., None], job: Job, together: "Together[Task]") -> None:
        if not job.lost:
            job.together = together
            try:
                phase(job, patient=True)
            except Fenced:
                job.lost = True
        if together.is_full:
            together.finish()

    def _ordinary(self, job: Job, *, patient: bool) -> None:
        for task in job.ordinary:
            self._try(job, task, patient=patient)

    def _place(self, job: Job, *, patient: bool) -> None:
        if any(task.state is EffectState.PENDING for task in job.ordinary):
            return
        for task in [task for task in job.tasks if task.record.place]:
            self._try(job, task, patient=patient)

    def _kept(self, job: Job, *, patient: bool) -> None:
        """After the places of all: a place may fail only when its file is published."""
        del patient
        if job.died and not any(task.state is EffectState.PENDING for task in job.ordinary):
            self._keep_instead(job)

    def _last(self, job: Job, *, patient: bool) -> None:
        if any(task.state is EffectState.PENDING for task in job.tasks if not task.effect.last):
            return
        for task in [task for task in job.tasks if task.effect.last]:
            if job.died and task.state is EffectState.PENDING:
                self._fail(job, task, "not remembered, because another effect failed for good")
            self._try(job, task, patient=patient)

    def _unpublished(self, task: Task, error: OSError) -> None:
        """A file that was written could not be made durable after all."""
        job = task.job
        assert job is not None
        job.outcomes = [outcome for outcome in job.outcomes if outcome.key != task.record.key]
        task.state, task.receipt = EffectState.PENDING, None
        self._postpone(job, task, describe(error))

    def _keep_instead(self, job: Job) -> None:
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
        # A place that failed itself stays in the ledger, so that a person finds it.
        failed = [task for task in places if task.state is EffectState.DEAD]
        ordinal = places[0].record.ordinal if places and not failed else _behind(job.tasks)
        # A report is about the message as it came, which its sender may have signed.
        edits = 0 if effect.word == "bounce" else len(job.plan.edits)
        made = keep(effect, message=job.claim.row.key, ordinal=ordinal, edits=edits)
        task = Task(record=record(made), effect=effect)
        job.keep = task.record
        job.tasks = [*(each for each in job.tasks if not each.record.place), *failed, task]
        if not effect.repeatable:  # it has to be in the ledger before it begins
            self.ledger.report([Report(claim=job.claim, outcomes=tuple(job.outcomes), keep=job.keep, release=False)])
            job.outcomes.clear()
            job.keep = None
        self._try(job, task, patient=False)

    def _bounce(self, job: Job) -> Effect | None:
        """A report to the sender, where nothing was delivered and nobody is left who could be told."""
        from postroom.steps.bounce import bounce_of

        row = job.claim.row
        delivered = any(
            task.state is EffectState.DONE and (task.effect.delivers or task.effect.word == "forward")
            for task in job.tasks
        )
        if not (job.bounces and row.sender) or delivered:
            return None
        died = [(task.effect, task.error) for task in job.tasks if task.state is EffectState.DEAD]
        return bounce_of(died, row.sender, row.recipients)

    def _try(self, job: Job, task: Task, *, patient: bool) -> None:
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
        self.meter.effect(task.effect.word, result(job.outcomes[-1]), took)
        if not task.effect.repeatable:
            if job.together is not None:
                job.together.finish()
            self._flush(job, slow=took > SLOW)

    def _done(self, task: Task, receipt: Receipt) -> Done:
        what, key = receipt.remembered, task.record.key
        assert task.receipt is not None
        if what is None:
            return Done(key=key, receipt=task.receipt)
        if self.recent is not None:
            self.recent.add(what, key)
        return Done(key=key, receipt=task.receipt, memory=(what.space, what.key, what.period))

    def _postpone(
        self, job: Job, task: Task, error: str, *, uncertain: bool = False, after: timedelta | None = None
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

    def _fail(self, job: Job, task: Task, error: str, *, uncertain: bool = False) -> None:
        if task.effect.word == "keep":
            self._postpone(job, task, error)
            return
        task.state, task.error = EffectState.DEAD, error
        job.outcomes.append(Failed(key=task.record.key, error=error, uncertain=uncertain))
        self.log.warning("effect.dead", message=job.claim.id, word=task.effect.word)

    def _flush(self, job: Job, *, slow: bool) -> None:
        """Record what cannot be repeated at once, before the next effect begins; the last report ends the message."""
        if job.waits:
            self.ledger.report([Report(claim=job.claim, outcomes=tuple(job.outcomes), release=False)])
            job.outcomes.clear()
        elif job.together is not None and not job.died and slow:
            # Other messages come first: their work may take long, too, and this one's last report cannot wait for it.
            self.report([job])
            job.ended = True

    def report(self, jobs: Sequence[Job]) -> None:
        self.ledger.report([job.report(settle=job.settled) for job in jobs])


def _behind(tasks: Sequence[Task]) -> int:
    """An ordinal that none of them has."""
    return 1 + max((task.record.ordinal for task in tasks), default=-1)
