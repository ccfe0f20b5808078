"""The step `script`: a program that answers facts."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field, JsonValue

from postroom.errors import Temporary
from postroom.pipeline.outcome import Fact, Note, Outcome
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.templates import ArgumentTemplate
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import Facts, View
from postroom.transports import process
from postroom.units import Duration, Size

ANSWER = 64 * 1024  # octets


class ScriptStep(Step):
    """Runs a program with the message on its standard input; it answers with one JSON object on standard output, of at
    most 64 KiB, which conditions ask as `script: {NAME: {key: …}}`. A list of arguments, no shell; environment, limits
    and killing are those of `exec`. Where it fails, the message waits (`on-error: later`) or goes on without its
    answer, which then is unknown (`pass`). It may run more than once and is to change nothing.

        - script: {name: language, command: [/usr/local/bin/guess-language]}
    """

    word: ClassVar[str] = "script"
    kind: ClassVar[Kind] = "scan"
    leaves: ClassVar[bool] = True

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")
    command: tuple[ArgumentTemplate, ...] = Field(min_length=1)
    timeout: Duration = timedelta(seconds=10)
    memory: Size = Field(default=512_000_000, ge=1_000_000)
    on_error: Literal["later", "pass"] = Field(default="later", alias="on-error")

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        try:
            yield Fact(Facts(script={self.name: self._answer(view, tools)}))
        except Temporary as error:
            if self.on_error == "later":
                raise
            yield Note(f"script {self.name}: {error}")

    def gives(self) -> frozenset[str]:
        return frozenset({f"script.{self.name}"})

    def _answer(self, view: View, tools: Tools) -> dict[str, JsonValue]:
        tools.files.mkdir(mode=0o700, parents=True, exist_ok=True)
        finished = process.run(
            [argument.render(view, tools) for argument in self.command],
            stdin=[memoryview(view.message.raw)],
            timeout=self.timeout,
            memory=self.memory,
            env={"POSTROOM_KEY": view.key, "POSTROOM_MAILBOX": view.mailbox},
            cwd=tools.files,
            output_limit=ANSWER,
        )
        if finished.status != 0:
            raise Temporary(str(finished))
        if finished.overflow:
            raise Temporary(f"the program answered more than {ANSWER} octets")
        try:
            answer = json.loads(finished.output)
        except (ValueError, RecursionError):
            raise Temporary("the program did not answer with JSON") from None
        if not isinstance(answer, dict):
            raise Temporary("the program answered JSON that is no object")
        return answer
