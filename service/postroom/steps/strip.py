"""The step `strip`: attachments out of the message."""

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from postroom.message import DropPart, safe_name
from postroom.pipeline.outcome import Edited, Outcome
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.templates import AttachmentValue, NoteTemplate
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View
from postroom.steps.patterns import Globs
from postroom.steps.selection import LARGER, NAMES, TYPES, Selection
from postroom.units import Size


class StripStep(Step):
    """Takes attachments out of the message, those of `types`, `names` and sizes `larger` than given, or all, and leaves
    a note in the place of each. Every other octet stays. Extract or archive first what is not to be lost.

        - strip: {larger: 5MB, note: "{{ attachment.name }} lies in the archive."}
    """

    word: ClassVar[str] = "strip"
    kind: ClassVar[Kind] = "edit"

    types: Globs = Field(default=(), description=TYPES)
    names_: Globs = Field(default=(), alias="names", description=NAMES)
    larger: Size | None = Field(default=None, description=LARGER)
    note: NoteTemplate = Field(
        default=NoteTemplate("An attachment was removed from this message."),
        description="What stands in the place of each; `attachment` has `name`, `type` and `size`.",
    )

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        chosen = Selection(types=self.types, names=self.names_, larger=self.larger).of(view.message)
        for part in list(chosen):
            target = safe_name(part.filename) if part.filename else f"part {part.path}"
            attachment = AttachmentValue(target, part.detected_type, part.size)
            note = self.note.render(view, tools, attachment=attachment)
            yield Edited(DropPart(path=part.path, note=note), target)
