"""The step `file`: delivery into a Maildir or an mbox of the operator's."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from postroom.pipeline.outcome import Effect, Letter, Outcome, Receipt
from postroom.pipeline.step import Kind, Reference, Step
from postroom.pipeline.templates import PathTemplate
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View
from postroom.steps.allowance import place
from postroom.steps.location import Location, located
from postroom.transports import directory, maildir, mbox
from postroom.transports.publishing import publish


class FileEffect(Effect):
    """Delivery into a Maildir; found again by its name."""

    word: ClassVar[str] = "file"

    to: Location

    @property
    def target(self) -> str:
        return self.to.shown

    @property
    def delivers(self) -> bool:
        return True

    def perform(self, letter: Letter, tools: Tools) -> Receipt:
        place(tools.memory, self.to, letter.key)
        with directory.opened(self.to.below, self.to.at):
            new = maildir.deliver(
                [letter.prefix, *letter.chunks],
                self.to.at,
                key=letter.key,
                received=letter.received,
                host=tools.host,
                again=letter.again,
                publish=tools.publish or publish,
            )
        return Receipt(detail="delivered", repeated=not new)


class MboxEffect(Effect):
    """Appending to an mbox; nothing in it tells a second try of the first, so it is recorded before it
    starts.
    """

    word: ClassVar[str] = "mbox"
    repeatable: ClassVar[bool] = False

    to: Location

    @property
    def target(self) -> str:
        return self.to.shown

    @property
    def delivers(self) -> bool:
        return True

    def perform(self, letter: Letter, tools: Tools) -> Receipt:
        constant = self.to.root == self.to.path
        root = self.to.at.parent if constant else self.to.below
        place(tools.memory, self.to, letter.key)
        with directory.opened(root, self.to.at.parent):
            mbox.append(
                self.to.at,
                [letter.prefix, *letter.chunks],
                sender=letter.envelope.sender or "",
                received=letter.received,
                root=None if constant else root,
            )
        return Receipt(detail="appended")


class FileStep(Step):
    """Delivers into a Maildir, or an mbox where the path ends in `mbox` or `format` says so; made where it is
    missing, at most 100 an hour of those that a value names. Relative paths lie below the state directory's `files`;
    nothing leaves the part of the path before the first value. The message counts as delivered: without a `keep` it
    is not kept as well. What is filed into the Maildir that it came from is not taken again.

        - file: ~/Mail/lists
        - file: {to: "/srv/archive/{{ received.year }}", format: mbox}
    """

    word: ClassVar[str] = "file"
    kind: ClassVar[Kind] = "act"
    main: ClassVar[str | None] = "to"

    to: PathTemplate = Field(description="The Maildir or the mbox; made where it is missing.")
    format: Literal["maildir", "mbox"] | None = Field(
        default=None, description="Default: `mbox` where the path ends so, else `maildir`."
    )

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        to = located(self.to, view, tools, below=tools.files)
        yield MboxEffect(to=to) if self._is_mbox(to.path) else FileEffect(to=to)

    def names(self) -> Iterator[Reference]:
        if self.to.constant and not self._is_mbox(self.to.source):
            yield Reference("maildir", self.to.source)

    def _is_mbox(self, path: str) -> bool:
        return self.format == "mbox" or (self.format is None and path.endswith("mbox"))
