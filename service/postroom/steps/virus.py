"""The step `virus`."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from postroom.errors import Temporary
from postroom.pipeline.outcome import Fact, Note, Outcome
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import Facts, View, Virus
from postroom.steps.scanning import asking


class VirusStep(Step):
    """Asks ClamAV's clamd, which the settings name (`scanners: clamd`), whether a message holds a virus: the field
    `virus` is true then, and asks for `name`, too. The message is handed over in pieces. Where clamd is away, answers
    rubbish or not in time, the message waits (`on-error: later`) or goes on with the answer unknown (`pass`), which
    no condition takes for a yes or a no. So does one that is larger than the settings allow, whatever `on-error` says.

        - virus
        - virus: {scanner: clamd, on-error: pass}
    """

    word: ClassVar[str] = "virus"
    kind: ClassVar[Kind] = "scan"
    main: ClassVar[str | None] = "scanner"

    scanner: Literal["clamd"] = Field(default="clamd", description="Whom to ask.")
    on_error: Literal["later", "pass"] = Field(
        default="later", alias="on-error", description="The message waits, or goes on without the answer."
    )

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        if tools.given is not None:
            found = tools.given.virus
        elif view.message.size > tools.scanners.clamd.largest:
            found = None
            yield Note("clamd is not asked: the message is larger than `scanners: {clamd: {largest: …}}`")
        else:
            try:
                found = _ask(view, tools)
            except Temporary as error:
                if self.on_error == "later":
                    raise
                found = None
                yield Note(f"virus is unknown: {error}")
        if found is not None:
            yield Fact(Facts(virus=found))

    def gives(self) -> frozenset[str]:
        return frozenset({"virus"})


def _ask(view: View, tools: Tools) -> Virus:
    from postroom.transports import clamd

    with asking("clamd", tools):
        return clamd.ask(tools.scanners.clamd, view)
