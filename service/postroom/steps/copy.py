"""The step `copy`."""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from postroom.pipeline.outcome import Copy, Outcome
from postroom.pipeline.step import Kind, Reference, Step
from postroom.pipeline.templates import FolderTemplate
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View


class CopyStep(Step):
    """Puts one more copy into a folder; the message itself stays where the other steps put it.

    - copy: Team/Invoices
    """

    word: ClassVar[str] = "copy"
    kind: ClassVar[Kind] = "home"
    main: ClassVar[str | None] = "folder"

    folder: FolderTemplate = Field(description="The folder, `/` between its segments.")
    create: bool = Field(default=True, description="Whether it is made where it is missing.")

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        yield Copy(self.folder.render(view, tools), create=self.create)

    def names(self) -> Iterator[Reference]:
        if self.folder.constant:
            yield Reference("folder", self.folder.source)
