"""The step `discard`."""

from collections.abc import Iterator
from typing import ClassVar

from postroom.pipeline.outcome import Outcome, Place
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View


class DiscardStep(Step):
    """Lets the message go: it is deleted once everything else is done. If anything else fails for good it is
    kept.

    - discard
    """

    word: ClassVar[str] = "discard"
    kind: ClassVar[Kind] = "home"

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        yield Place("gone")
