"""What is done becomes visible in the mailbox: flags, copies, moves and deletions of one folder, in batches.

An OK proves nothing: before anything is done, UIDVALIDITY and presence are checked, and after a move COPYUID. What is
gone the user took away, and the user wins. Every step may be repeated.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from postroom.errors import PostroomError
from postroom.ledger.rows import Waiting
from postroom.settings.mailboxes import ImapMailbox
from postroom.sources import Desk
from postroom.sources.imap import seeking
from postroom.sources.imap.acts import Act, Put, Remove, act_of, removal
from postroom.sources.imap.flagging import flag
from postroom.sources.imap.folder import Key, Selected
from postroom.sources.imap.jobs import Attempts, Job, Landed, fail, waiting
from postroom.sources.imap.moving import Mover, Results
from postroom.sources.imap.owning import Owning
from postroom.sources.imap.rewriting import Rewriter
from postroom.sources.imap.targets import Targets
from postroom.sources.losses import Lost
from postroom.sources.settlement import Settlement


@dataclass(eq=False, kw_only=True)
class Settler:
    """Of one selected folder."""

    account: ImapMailbox
    selected: Selected
    desk: Desk
    targets: Targets
    owning: Owning
    attempts: Attempts
    clock: Callable[[], datetime]

    def __post_init__(self) -> None:
        self.mover = Mover(self.selected)
        self.rewriter = Rewriter(self.selected, self.desk, self.owning)

    async def settle(self) -> int:
        """Do what is to be done now; answers how many settlements there were. Raises Lost, Temporary."""
        works = await self.desk.unsettled(self.selected.name)
        jobs = [self._job(work) for work in works]
        if jobs:
            try:
                await self._work_off(jobs)
            except BaseException:
                with suppress(PostroomError):
                    await self._answer(jobs)
                raise
            await self._answer(jobs)
        return len(jobs)

    async def _answer(self, jobs: Sequence[Job]) -> None:
        answered = [job for job in jobs if job.answer is not None]
        await self.desk.settled([job.answer for job in answered if job.answer is not None])
        self.attempts.end(answered)

    def _job(self, work: Settlement) -> Job:
        key = Key.read(work.key)
        job = Job(work=work, uid=key.uid if key else 0)
        if key is None or key.validity != self.selected.validity:
            job.vanish()
        return job

    async def _work_off(self, jobs: Sequence[Job]) -> None:
        acts = self._acts(jobs)
        await self._find(waiting(jobs), acts)
        await flag(waiting(jobs), acts, self.mover)
        await self._each_target(self._copied(waiting(jobs)), self._copy)
        moves: dict[tuple[str, bool], list[Job]] = defaultdict(list)
        for job in waiting(jobs):
            match acts[job.uid]:
                case Put(folder, create, edited) if edited:
                    await self._rewrite(job, folder, create)
                case Put(folder, create):
                    moves[folder, create].append(job)
                case _:
                    pass
        await self._each_target(moves, self._move)
        await self._remove([job for job in waiting(jobs) if isinstance(acts[job.uid], Remove)])
        for job in waiting(jobs):
            job.succeed()

    def _acts(self, jobs: Iterable[Job]) -> dict[int, Act]:
        """What is to be done with each; one whose time has not come is answered."""
        acts: dict[int, Act] = {}
        for job in waiting(jobs):
            act = act_of(job.work, self.account, self.selected, self.clock())
            if isinstance(act, Waiting):
                job.answer = act
            else:
                acts[job.uid] = act
        return acts

    async def _find(self, jobs: Sequence[Job], acts: Mapping[int, Act]) -> None:
        found = await self.mover.present([job.uid for job in jobs])
        self.selected.require()
        for job in jobs:
            if job.uid in found:
                job.flags = found[job.uid].flags or frozenset()
        await self._trace([job for job in jobs if job.uid not in found], acts)

    async def _trace(self, jobs: Sequence[Job], acts: Mapping[int, Act]) -> None:
        """Answer those that are not here any more: taken away by an earlier try of ours, or by the user."""
        put: dict[tuple[str, bool], list[Job]] = defaultdict(list)
        for job in jobs:
            match acts[job.uid]:
                case Put(folder, edited=edited) if self.attempts.may_have_been(job):
                    put[folder, edited].append(job)
                case Remove() if self.attempts.may_have_been(job):
                    job.succeed()
                case _:
                    job.vanish()
        for (folder, edited), missing in put.items():
            found = await self._earlier(folder, missing, edited=edited)
            for job in missing:
                if job.uid in found:
                    job.succeed()
                else:
                    job.vanish()

    async def _earlier(self, folder: str, jobs: Sequence[Job], *, edited: bool) -> Mapping[int, Landed]:
        """Where an earlier try has put them; noted as ours."""
        found: Mapping[int, Landed] = {}
        seek = partial(seeking.marked, desk=self.desk) if edited else seeking.copies
        try:
            name = await self.targets.find(folder, create=False)
            async with self.selected.away():
                found = await seek(self.selected.imap, name, jobs)
        except Lost:
            raise
        except PostroomError:
            return {}
        for job in jobs:
            if job.uid in found:
                self.owning.note(name, job, found[job.uid])
        return found

    def _copied(self, jobs: Iterable[Job]) -> dict[tuple[str, bool], list[Job]]:
        wanted: dict[tuple[str, bool], list[Job]] = defaultdict(list)
        for job in jobs:
            for folder in dict.fromkeys(job.work.copies):
                wanted[folder, job.work.create].append(job)
        return wanted

    async def _each_target(
        self, groups: Mapping[tuple[str, bool], Sequence[Job]], act: Callable[[str, Sequence[Job]], Awaitable[None]]
    ) -> None:
        """For each folder that messages go to, made where it is missing; one that cannot be had fails its own only."""
        for (folder, create), jobs in groups.items():
            left = waiting(jobs)
            if not left:
                continue
            try:
                await act(await self.targets.find(folder, create=create), left)
            except Lost:
                raise
            except PostroomError as error:
                fail(left, error)
            if waiting(left) != left:
                self.targets.forget(folder)

    async def _copy(self, folder: str, jobs: Sequence[Job]) -> None:
        before = await self._before(folder, jobs)
        fresh = [job for job in jobs if job.uid not in before]
        await self._announce(folder, fresh)
        results = await self.mover.copy([job.uid for job in fresh], folder) if fresh else {}
        self._note(folder, jobs, before | results)

    async def _move(self, folder: str, jobs: Sequence[Job]) -> None:
        atomic = self.selected.imap.has("MOVE")
        before = {} if atomic else await self._before(folder, jobs)
        fresh = [job for job in jobs if job.uid not in before]
        await self._announce(folder, fresh)
        results = await self.mover.move([job.uid for job in fresh], folder) if fresh else {}
        await self.mover.remove(before.keys())
        self._note(folder, jobs, before | results)

    async def _before(self, folder: str, jobs: Sequence[Job]) -> Results:
        """What an earlier try has put there already."""
        doubtful = [job for job in jobs if self.attempts.may_have_been(job)]
        if not doubtful:
            return {}
        async with self.selected.away():
            return dict(await seeking.copies(self.selected.imap, folder, doubtful))

    async def _announce(self, folder: str, jobs: Sequence[Job]) -> None:
        self.attempts.begin(jobs)
        await self.owning.expect(folder, jobs)

    def _note(self, folder: str, jobs: Iterable[Job], results: Results) -> None:
        for job in jobs:
            match results.get(job.uid):
                case None:
                    job.vanish()
                case Landed() as landed:
                    self.owning.note(folder, job, landed)
                case error:
                    job.fail(error)

    async def _rewrite(self, job: Job, folder: str, create: bool) -> None:
        try:
            name = await self.targets.find(folder, create=create)
            doubtful = self.attempts.may_have_been(job)
            self.attempts.begin([job])
            await self.rewriter.put(job, name, doubtful=doubtful)
            await self._remove([job])
        except Lost:
            raise
        except PostroomError as error:
            job.fail(error)
            self.targets.forget(folder)

    async def _remove(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        if isinstance(act := removal(self.selected), Put):
            await self._each_target({(act.folder, act.create): jobs}, self._move)
            return
        try:
            await self.mover.remove([job.uid for job in jobs])
        except Lost:
            raise
        except PostroomError as error:
            fail(jobs, error)
