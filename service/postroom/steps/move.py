"""The step `move`."""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from postroom.pipeline.outcome import Outcome, Place
from postroom.pipeline.step import Kind, Reference, Step
from postroom.pipeline.templates import FolderTemplate
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View


class MoveStep(Step):
    """Puts the message into a folder, `/` between its segments. Of several places the last one wins.

    - move: Archive/{{ received.year }}
    - move: {folder: Projects, create: false}
    """

    word: ClassVar[str] = "move"
    kind: ClassVar[Kind] = "home"
    main: ClassVar[str | None] = "folder"

    folder: FolderTemplate = Field(description="The folder, `/` between its segments.")
    create: bool = Field(default=True, description="Whether it is made where it is missing.")

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        yield Place("moved", self.folder.render(view, tools), create=self.create)

    def names(self) -> Iterator[Reference]:
        if self.folder.constant:
            yield Reference("folder", self.folder.source)
