"""The contract of a condition: it asks, changes nothing, and can say why."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from postroom.pipeline.globs import Glob
from postroom.pipeline.view import View


@dataclass(frozen=True, slots=True)
class Why:
    """One line of an explanation: what was asked, the outcome, what it was compared with, and the parts."""

    asked: str  # the operator's words: `subject: *invoice*`
    held: bool | None  # None: unknown
    compared: str = ""  # values from the message: for `explain` only, never stored
    parts: tuple["Why", ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """`held` is None where a fact is unknown; only True matches. `why` is built on demand."""

    held: bool | None
    why: Callable[[], Why]
    match: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Guard:
    """Globs on one field, of which one has to match for a condition to hold: what an index of rules goes by."""

    field: str
    globs: tuple[Glob, ...]


class Condition(Protocol):
    """Something under `when`."""

    def ask(self, view: View) -> Answer: ...

    def facts(self) -> Iterator[str]:
        """Facts that it asks about: `spam`, `auth`, `duplicate`, `tag`, `script.NAME`."""
        ...

    def groups(self) -> Iterator[str]:
        """Named groups that its patterns may give to templates."""
        ...

    def labels(self) -> tuple[str, ...]:
        """The operator's words, one for each thing asked at the top: `subject: *invoice*`."""
        ...

    def guard(self) -> Guard | None:
        """What has to match for this to hold, where that is a plain list of globs."""
        ...
