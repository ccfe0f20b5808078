"""The contract of a step: frozen options, checked when the file is read, and one method."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from postroom.model import Model
from postroom.pipeline.outcome import Effect, Outcome
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View

Kind = Literal["scan", "edit", "home", "act", "steer"]


@dataclass(frozen=True, slots=True)
class Reference:
    """Something outside its own options that a step names, for `postroom check` to look up."""

    kind: Literal["pipeline", "folder", "server", "secret", "setting", "file", "maildir"]
    name: str


class Step(Model):
    """One entry under `do`. Its docstring becomes its page in the reference."""

    word: ClassVar[str]
    kind: ClassVar[Kind]
    main: ClassVar[str | None] = None  # the option that `word: scalar` sets
    effects: ClassVar[tuple[type[Effect], ...]] = ()  # a plugin's: all that it yields, to read them back by their word
    leaves: ClassVar[bool] = False  # a scanner that leaves the process: never runs in a pipeline's own tests

    @abstractmethod
    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        """What to do with this message. Changes nothing in the world."""

    def names(self) -> Iterator[Reference]:
        """What `postroom check` has to look up."""
        yield from ()

    def gives(self) -> frozenset[str]:
        """Facts that later conditions may ask about: `spam`, `auth`, `duplicate`, `tag`, `script.NAME`."""
        return frozenset()
