"""The step `stop`."""

from collections.abc import Iterator
from typing import ClassVar

from postroom.pipeline.outcome import Outcome, Stop
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View


class StopStep(Step):
    """Ends the whole plan: no later step, rule or calling pipeline is reached (RFC 5228 §3.3). What was decided
    before stays decided.

        - stop
    """

    word: ClassVar[str] = "stop"
    kind: ClassVar[Kind] = "steer"

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        yield Stop()
