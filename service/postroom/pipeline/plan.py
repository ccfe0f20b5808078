"""The plan: what a pipeline decided about one message, in order, and why."""

from typing import Literal

from pydantic import SerializeAsAny

from postroom.message import Edit
from postroom.model import Model, TextSet
from postroom.pipeline.outcome import Effect
from postroom.pipeline.view import Facts


class Planned(Model):
    """One effect of a plan. `edits`: how many of the plan's edits it sees."""

    key: str
    ordinal: int
    edits: int
    rule: str
    place: bool = False  # it puts the message where it is to end up; done after all others but `remember`
    effect: SerializeAsAny[Effect]


class Line(Model):
    """One thing the plan does, as explain prints it and a pipeline's own tests expect it."""

    rule: str
    """The rule that decided it; empty where none did."""
    word: str
    """The step's word."""
    target: str = ""
    """What explain prints behind the word."""
    implicit: bool = False
    """Whether no step said it: the message is kept."""

    def __str__(self) -> str:
        text = f"{self.word} {self.target}".rstrip()
        return f"{text} (implicit)" if self.implicit else text


class Asked(Model):
    """A condition and whether it held, without values from the message."""

    condition: str
    """The operator's words."""
    held: bool | None
    """The answer; None: nobody can tell."""


class RuleTrace(Model):
    """A rule that was reached."""

    pipeline: str
    """The pipeline that it stands in."""
    rule: str
    """Its name."""
    held: bool | None
    """Whether its condition held; None: nobody can tell."""
    asked: tuple[Asked, ...] = ()
    """What was asked at the top of its condition, where it held or nobody can tell."""
    notes: tuple[str, ...] = ()
    """Remarks of its steps."""


class Trace(Model):
    """Stored: the rules that held and those of which nobody can know; `passed`: how many did not hold."""

    rules: tuple[RuleTrace, ...] = ()
    passed: int = 0


class Settlement(Model):
    """What becomes of the message in its mailbox."""

    place: Literal["kept", "moved", "gone"] = "kept"
    folder: str = ""
    create: bool = True
    add: TextSet = frozenset()
    remove: TextSet = frozenset()
    copies: tuple[str, ...] = ()


class Plan(Model):
    """Everything that is to happen to one message."""

    pipeline: str
    version: str
    edits: tuple[Edit, ...] = ()
    effects: tuple[Planned, ...] = ()
    lines: tuple[Line, ...] = ()
    facts: Facts = Facts()
    trace: Trace = Trace()
    settlement: Settlement = Settlement()

    @property
    def discards(self) -> bool:
        """Whether the rules said `discard`; else a message is gone because a step delivered it elsewhere."""
        return any(line.word == "discard" for line in self.lines)
