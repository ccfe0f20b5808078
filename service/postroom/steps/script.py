"""The step `script`: a program that answers facts."""

from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field
from pydantic_core import from_json

from postroom.errors import Temporary
from postroom.pipeline.outcome import Fact, Note, Outcome
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import Facts, View
from postroom.steps.program import Command, TimeLimit, environment
from postroom.steps.scanning import asking
from postroom.transports import process
from postroom.transports.files import explained, make_directories
from postroom.units import Size

ANSWER = 64 * 1024  # octets
DEEPEST = 20  # the ledger stores the answer within a plan, which has to be readable again


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

    name: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$", description="What conditions and templates call its answer."
    )
    command: Command
    timeout: TimeLimit = Field(
        default=timedelta(seconds=10), description="When it is killed; else `defaults: {timeout: …}` where that is set."
    )
    memory: Size = Field(default=512_000_000, ge=1_000_000, description="Address space that it may use.")
    on_error: Literal["later", "pass"] = Field(
        default="later", alias="on-error", description="The message waits, or goes on without the answer."
    )

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        try:
            with asking("script", tools):
                answer = self._answer(view, tools)
        except Temporary as error:
            if self.on_error == "later":
                raise
            yield Note(f"script {self.name}: {error}")
        else:
            yield Fact(answer)

    def gives(self) -> frozenset[str]:
        return frozenset({f"script.{self.name}"})

    def _answer(self, view: View, tools: Tools) -> Facts:
        with explained(tools.files):
            make_directories(tools.files)
        finished = process.run(
            [argument.render(view, tools) for argument in self.command],
            stdin=[memoryview(view.message.raw)],
            timeout=self.timeout,
            memory=self.memory,
            env=environment(key=view.key, mailbox=view.mailbox, envelope=view.envelope),
            cwd=tools.files,
            output_limit=ANSWER,
        )
        if finished.status != 0:
            raise Temporary(str(finished))
        if finished.overflow:
            raise Temporary(f"the program answered more than {ANSWER} octets")
        try:
            answer = from_json(finished.output, allow_inf_nan=False)
        except ValueError:
            raise Temporary("the program did not answer with JSON") from None
        if not isinstance(answer, dict):
            raise Temporary("the program answered JSON that is no object")
        if _depth(answer) > DEEPEST:
            raise Temporary(f"the program answered JSON that is nested more than {DEEPEST} deep")
        try:
            return Facts(script={self.name: answer})
        except ValueError:
            raise Temporary("the program answered a number that is too large") from None


def _depth(value: object) -> int:
    """How deep it is nested; the parser has bounded that."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)
