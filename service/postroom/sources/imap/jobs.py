"""One settlement under way, and where messages of ours land."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from postroom.errors import PostroomError
from postroom.ledger.rows import Arrival, Settled, Unsettled, Waiting
from postroom.sources.settlement import Settlement


@dataclass(frozen=True, slots=True)
class Landed:
    """Where a message is now, as far as the server says."""

    validity: int | None = None
    uid: int | None = None


NOWHERE = Landed()
# A clock of ours and one of the database may differ so much.
_MARGIN = timedelta(minutes=1)


@dataclass(eq=False, kw_only=True)
class Job:
    """A settlement of the selected folder. `flags`: as they are now. `answer`: once it is known how it ends."""

    work: Settlement
    uid: int
    flags: frozenset[str] = frozenset()
    own: list[Arrival] = field(default_factory=list)
    answer: Settled | Unsettled | Waiting | None = None

    def fail(self, error: PostroomError) -> None:
        self.answer = Unsettled(message=self.work.message, error=error)

    def succeed(self) -> None:
        self.answer = Settled(message=self.work.message, outcome=self.work.place, own=tuple(self.own))

    def vanish(self) -> None:
        self.answer = Settled(message=self.work.message, outcome="vanished", own=tuple(self.own))


def waiting(jobs: Iterable[Job]) -> list[Job]:
    """Those that have no answer yet."""
    return [job for job in jobs if job.answer is None]


def fail(jobs: Iterable[Job], error: PostroomError) -> None:
    """Answer all that have no answer yet."""
    for job in waiting(jobs):
        job.fail(error)


@dataclass(eq=False)
class Attempts:
    """Which settlements may have been begun before, so that something of them may be done already: those that were
    planned before this process watched the mailbox, and those whose commands nobody saw the end of."""

    since: datetime
    _begun: set[int] = field(default_factory=set)

    def may_have_been(self, job: Job) -> bool:
        work = job.work
        return work.message in self._begun or work.planned is None or work.planned < self.since + _MARGIN

    def begin(self, jobs: Iterable[Job]) -> None:
        self._begun.update(job.work.message for job in jobs)

    def end(self, jobs: Iterable[Job]) -> None:
        self._begun.difference_update(job.work.message for job in jobs)
