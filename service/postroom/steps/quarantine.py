"""The step `quarantine`: set aside for a person to look at."""

import json
from collections.abc import Iterator, Sequence
from typing import ClassVar

from pydantic import Field

from postroom.pipeline.outcome import Effect, Letter, Outcome, Receipt
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.templates import HeaderTemplate, PathTemplate
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View
from postroom.steps.allowance import place
from postroom.steps.location import Location, located
from postroom.transports import directory


class QuarantineEffect(Effect):
    """The raw message and beside it a JSON file that says why; both named by the effect's key."""

    word: ClassVar[str] = "quarantine"

    to: Location
    reason: str

    @property
    def target(self) -> str:
        return self.reason

    @property
    def delivers(self) -> bool:
        return True

    def perform(self, letter: Letter, tools: Tools) -> Receipt:
        about = {
            "reason": self.reason,
            "mailbox": letter.mailbox,
            "sender": letter.envelope.sender,
            "recipients": letter.envelope.recipients,
            "received": letter.received.isoformat(),
        }
        why = json.dumps(about, indent=2).encode()
        place(tools.memory, self.to, letter.key)
        with directory.opened(self.to.below, self.to.at) as opened:

            def put(name: str, chunks: Sequence[bytes | memoryview]) -> bool:
                return directory.store(opened, name, chunks, key=letter.key, mode=0o600, again=letter.again)[1]

            put(f"{letter.key}.json", [why])
            new = put(f"{letter.key}.eml", letter.chunks)
        return Receipt(detail=f"{letter.key}.eml", repeated=not new)


class QuarantineStep(Step):
    """Sets the message aside in a directory, with a JSON file beside it that says why, and does not keep it.
    The directory is the state directory's `quarantine` unless `to` names another; a relative one lies below
    it.

        - quarantine: a program in an archive
    """

    word: ClassVar[str] = "quarantine"
    kind: ClassVar[Kind] = "act"
    main: ClassVar[str | None] = "reason"

    reason: HeaderTemplate = Field(default=HeaderTemplate(""), description="Why; stands in the file beside it.")
    to: PathTemplate | None = Field(default=None, description="The directory; default: `quarantine` in `state`.")

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        if self.to is None:
            base = str(tools.quarantine)
            to = Location(root=base, path=base, shown="")
        else:
            to = located(self.to, view, tools, below=tools.quarantine)
        yield QuarantineEffect(to=to, reason=self.reason.render(view, tools))
