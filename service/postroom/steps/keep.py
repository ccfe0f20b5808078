"""The step `keep`."""

from collections.abc import Iterator
from typing import ClassVar

from postroom.pipeline.outcome import Outcome, Place
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View


class KeepStep(Step):
    """Keeps the message in the inbox, or leaves it where it lies. Of several places the last one wins.

    - keep
    """

    word: ClassVar[str] = "keep"
    kind: ClassVar[Kind] = "home"

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        yield Place("kept")
