"""The step `exec`: a program that gets the message."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from postroom.errors import Permanent, Temporary
from postroom.pipeline.outcome import Effect, Letter, Outcome, Receipt
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.templates import ArgumentTemplate
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View
from postroom.steps.program import Command, TimeLimit, environment
from postroom.transports import process
from postroom.transports.files import explained, make_directories
from postroom.units import Duration, Size

# sysexits(3): what no later try mends. 71 and 75 are temporary, as for Postfix's pipe(8).
PERMANENT = frozenset({*range(64, 71), 73, 74, 76, 77, 78})


def _variable(name: str) -> str:
    if not name.isidentifier() or not name.isascii():
        raise ValueError("the name of an environment variable is letters, digits and `_`")
    return name


class ExecEffect(Effect):
    """One run of a program. Whether it did its work is known from its status alone, so it is recorded before
    it starts.
    """

    word: ClassVar[str] = "exec"
    repeatable: ClassVar[bool] = False

    command: tuple[str, ...]
    env: Mapping[str, str]
    timeout: Duration
    memory: int
    delivering: bool

    @property
    def target(self) -> str:
        return self.command[0]

    @property
    def delivers(self) -> bool:
        return self.delivering

    def perform(self, letter: Letter, tools: Tools) -> Receipt:
        env = environment(key=letter.key, mailbox=letter.mailbox, envelope=letter.envelope)
        with explained(tools.files):
            make_directories(tools.files)
        finished = process.run(
            self.command,
            stdin=[letter.prefix, *letter.chunks],
            timeout=self.timeout,
            memory=self.memory,
            env={**env, **self.env},
            cwd=tools.files,
            output_limit=0,
        )
        if finished.status == 0:
            return Receipt(detail="the program ended with status 0")
        raise (Permanent if finished.status in PERMANENT else Temporary)(str(finished))


class ExecStep(Step):
    """Runs a program with the message, as edited so far, on its standard input. A list of arguments, no
    shell; the environment holds PATH, HOME, USER, LANG, POSTROOM_KEY (the same at a second try),
    POSTROOM_MAILBOX, SENDER, RECIPIENT and what `env` adds. It runs in the state directory's `files`. Status
    0: done; 64-70, 73, 74, 76-78: failed for good; anything else, a signal or the time limit: tried again
    later. The program and all that it started are killed at the end. It may run more than once for one
    message: let POSTROOM_KEY tell. `delivers` says that the message lives elsewhere then and need not be
    kept.

        - exec: [/usr/local/bin/ticket, --from, "{{ from }}"]
        - exec: {command: [/usr/bin/sa-learn, --spam], timeout: 5m, delivers: false}
    """

    word: ClassVar[str] = "exec"
    kind: ClassVar[Kind] = "act"
    main: ClassVar[str | None] = "command"

    command: Command
    timeout: TimeLimit = Field(
        default=timedelta(seconds=60), description="When it is killed; else `defaults: {timeout: …}` where that is set."
    )
    memory: Size = Field(default=512_000_000, ge=1_000_000, description="Address space that it may use.")
    env: Mapping[Annotated[str, AfterValidator(_variable)], ArgumentTemplate] = Field(
        default={}, description="Further environment variables."
    )
    delivers: bool = Field(default=False, description="Whether the message lives elsewhere then and is not kept.")

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        yield ExecEffect(
            command=tuple(argument.render(view, tools) for argument in self.command),
            env={name: value.render(view, tools) for name, value in self.env.items()},
            timeout=self.timeout,
            memory=self.memory,
            delivering=self.delivers,
        )
