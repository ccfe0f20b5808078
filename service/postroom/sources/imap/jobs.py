"""One settlement under way, and where messages of ours land."""

from dataclasses import dataclass, field

from postroom.errors import PostroomError
from postroom.ledger.rows import Arrival, Settled, Unsettled, Waiting
from postroom.sources.settlement import Settlement


@dataclass(frozen=True, slots=True)
class Landed:
    """Where a message is now, as far as the server says."""

    validity: int | None = None
    uid: int | None = None


NOWHERE = Landed()


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
