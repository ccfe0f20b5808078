"""The step `run`."""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from postroom.pipeline.outcome import Outcome, Run
from postroom.pipeline.step import Kind, Reference, Step
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View


class RunStep(Step):
    """Goes through the rules of another pipeline here and now, then on with the next step. Its `match: first` ends
    only itself; its `stop` ends everything.

        - run: spam
    """

    word: ClassVar[str] = "run"
    kind: ClassVar[Kind] = "steer"
    main: ClassVar[str | None] = "pipeline"

    pipeline: str = Field(min_length=1, description="Its name: its file's without .yaml.")

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        yield Run(self.pipeline)

    def names(self) -> Iterator[Reference]:
        yield Reference("pipeline", self.pipeline)
