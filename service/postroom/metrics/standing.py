"""How things stand, as numbers for Prometheus: asked of ledger, queue and spool when somebody looks."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal, get_args

from postroom.asking import Question
from postroom.ledger.backlog import Backlog
from postroom.ledger.rows import Counts, State

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

Asked = Literal["ledger", "queue", "spool"]


DECLARED: Final[tuple[tuple[str, str, tuple[str, ...]], ...]] = (
    ("ledger_rows", "Messages in the ledger.", ("state",)),
    ("effects_pending", "Effects that are not done yet.", ()),
    ("dead_letters", "Messages set aside for a person.", ()),
    ("oldest_due_seconds", "How long the message that has waited longest could have been worked on.", ()),
    ("mailbox_in_flight", "Messages that are worked on now.", ("mailbox",)),
    ("mailbox_oldest_unsettled_seconds", "How long the oldest message that has not ended is here.", ("mailbox",)),
    ("queue_length", "Tasks that no worker has taken yet.", ()),
    ("spool_free_bytes", "Space on the disk of the spool.", ()),
    ("unanswered", "1: it could not be asked just now, and its numbers are missing.", ("asked",)),
)
"""Names, what they mean, and their labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """Where the numbers of a state come from. Each may block, and raise."""

    counts: Callable[[], Counts]
    backlogs: Callable[[], Mapping[str, Backlog]]
    queue: Callable[[], int]
    free: Callable[[], int]


class Standing:
    """The numbers of a state, asked for when somebody looks. What cannot be answered in time is left out of the page
    and counted; the page itself never fails."""

    def __init__(self, questions: Questions, mailboxes: Callable[[], Collection[str]], patience: float) -> None:
        self._counts = Question(questions.counts)
        self._backlogs = Question(questions.backlogs)
        self._queue = Question(questions.queue)
        self._free = Question(questions.free)
        self._mailboxes = mailboxes
        self._patience = patience

    def describe(self) -> "Iterable[GaugeMetricFamily]":
        """The names alone."""
        return _families().values()

    def collect(self) -> "Iterator[GaugeMetricFamily]":
        """One look."""
        families = _families()
        for question in (self._counts, self._backlogs, self._queue, self._free):
            question.ask()  # all at once; then they are waited for
        unanswered = dict.fromkeys(get_args(Asked), 0)
        for cause, tell in (
            ("ledger", self._tell_counts),
            ("ledger", self._tell_backlogs),
            ("queue", lambda of: of["queue_length"].add_metric([], self._queue.answer(self._patience))),
            ("spool", lambda of: of["spool_free_bytes"].add_metric([], self._free.answer(self._patience))),
        ):
            try:
                tell(families)
            except Exception:  # whatever it was: the other numbers are shown
                unanswered[cause] = 1
        for cause, failed in unanswered.items():
            families["unanswered"].add_metric([cause], failed)
        return iter(families.values())

    def _tell_counts(self, families: "Mapping[str, GaugeMetricFamily]") -> None:
        counts = self._counts.answer(self._patience)
        for state in State:
            families["ledger_rows"].add_metric([state.value], counts.messages.get(state, 0))
        families["effects_pending"].add_metric([], counts.pending)
        families["dead_letters"].add_metric([], counts.messages.get(State.DEAD, 0))
        oldest = counts.oldest_due or timedelta()
        families["oldest_due_seconds"].add_metric([], oldest.total_seconds())

    def _tell_backlogs(self, families: "Mapping[str, GaugeMetricFamily]") -> None:
        backlogs = self._backlogs.answer(self._patience)
        for mailbox in self._mailboxes():
            found = backlogs.get(mailbox, Backlog(in_flight=0, unsettled=0, oldest=timedelta()))
            families["mailbox_in_flight"].add_metric([mailbox], found.in_flight)
            families["mailbox_oldest_unsettled_seconds"].add_metric([mailbox], found.oldest.total_seconds())


def _families() -> "dict[str, GaugeMetricFamily]":
    from prometheus_client.core import GaugeMetricFamily

    return {name: GaugeMetricFamily(f"postroom_{name}", told, labels=labels) for name, told, labels in DECLARED}
