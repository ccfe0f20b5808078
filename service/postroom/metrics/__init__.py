"""Numbers for Prometheus: what a worker tells of its work, and the closed sets of labels.

`prometheus.Metrics` counts what happened, `standing.Questions` say how things stand.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final, Literal, Protocol

from postroom.message.defects import Defect
from postroom.pipeline.plan import Plan

Outcome = Literal["kept", "moved", "gone", "own", "vanished", "dead"]
"""How a message ended."""
Result = Literal["done", "later", "dead", "uncertain"]
"""How one try of an effect ended."""
Ring = Literal["new", "sweep"]
"""Why the queue was rung."""


class Meter(Protocol):
    """What a worker tells."""

    def planned(self, plan: Plan, defects: Iterable[Defect]) -> None:
        """A message with these defects was planned."""

    def effect(self, word: str, result: Result, seconds: float) -> None:
        """An effect was tried."""

    def worked(self, mailbox: str, age: timedelta) -> None:
        """All effects of a message are done or dead, that long after it came in."""

    def ended(self, mailbox: str, pipeline: str, outcome: Outcome) -> None:
        """A message came to its end; its source has nothing more to do."""


class Unmeasured:
    """The meter of processes that nobody asks, such as `postroom filter`."""

    def planned(self, plan: Plan, defects: Iterable[Defect]) -> None: ...
    def effect(self, word: str, result: Result, seconds: float) -> None: ...
    def worked(self, mailbox: str, age: timedelta) -> None: ...
    def ended(self, mailbox: str, pipeline: str, outcome: Outcome) -> None: ...


UNMEASURED: Final = Unmeasured()
