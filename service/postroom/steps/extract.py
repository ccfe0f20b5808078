"""The step `extract`: attachments as files."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from pydantic import Field

from postroom.errors import Permanent
from postroom.message import Part, parse, safe_name
from postroom.model import Model
from postroom.pipeline.outcome import Effect, Letter, Outcome, Receipt
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.templates import AttachmentValue, PathTemplate, SegmentTemplate
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View
from postroom.steps.allowance import place
from postroom.steps.location import Location, located
from postroom.steps.mode import Mode
from postroom.steps.patterns import Globs
from postroom.steps.selection import LARGER, NAMES, TYPES, Selection
from postroom.transports import directory
from postroom.units import Size

CHUNK = 1 << 18


class TooLarge(Exception):  # noqa: N818 - ends a writing, is no error of anything
    """The attachment is over the limit."""


class Piece(Model):
    """One attachment and the name of its file. `part`: its path as IMAP numbers it."""

    part: str
    name: str


class ExtractEffect(Effect):
    """The files of one message. A second try finds equal files and adds none. `beyond`: attachments past
    `count`.
    """

    word: ClassVar[str] = "extract"

    to: Location
    pieces: tuple[Piece, ...]
    beyond: int = 0
    per_file: int
    mode: int

    @property
    def target(self) -> str:
        return self.to.shown

    def perform(self, letter: Letter, tools: Tools) -> Receipt:
        parts = self._parts(letter, tools)
        # Who may read a file may read and enter the directories that are made for it.
        readers = self.mode & 0o044
        entering = 0o700 | readers | readers >> 2
        told = []
        place(tools.memory, self.to, letter.key)
        with directory.opened(self.to.below, self.to.at, mode=entering) as opened:
            for number, (piece, part) in enumerate(zip(self.pieces, parts, strict=True), 1):
                told.append(f"attachment {number} {self._store(opened, number, piece, part, letter)}")
        if self.beyond:
            told.append(f"{self.beyond} more are past the limit of their number and stay in the message")
        return Receipt(detail="; ".join(told), repeated=all(text.endswith("already") for text in told))

    def _parts(self, letter: Letter, tools: Tools) -> list[Part]:
        first = letter.chunks[0] if len(letter.chunks) == 1 else b"".join(letter.chunks)
        parts = {part.path: part for part in parse(first, limits=tools.limits).parts}
        if any(piece.part not in parts for piece in self.pieces):
            raise Permanent("an attachment is no longer found in the message, since the limits were changed")
        return [parts[piece.part] for piece in self.pieces]

    def _store(self, opened: int, number: int, piece: Piece, part: Part, letter: Letter) -> str:
        chunks = _bounded(part.iter_content(CHUNK), self.per_file)
        key = f"{letter.key}-{number}"
        try:
            _, new = directory.store(opened, piece.name, chunks, key=key, mode=self.mode, again=letter.again)
        except TooLarge:
            return "is over the limit of its size and stays in the message"
        return "was written" if new else "was there already"


class ExtractStep(Step):
    """Writes attachments to files: those of `types` and `names` that are `larger` than given, or all. A type
    is what the content shows or what the label says. Nothing is ever overwritten: an equal file is left,
    another gets `-1`, `-2` behind its name. Relative paths lie below the state directory's `files`; nothing
    leaves the part of the path before the first value, symbolic links included. Attachments over `per-file`,
    and those past `count`, stay in the message only. `mode` is octal.

        - extract: invoices/{{ from.domain }}
        - extract: {to: /srv/scans, types: "image/*", name: "{{ received.date }} {{ attachment.name }}"}
    """

    word: ClassVar[str] = "extract"
    kind: ClassVar[Kind] = "act"
    main: ClassVar[str | None] = "to"

    to: PathTemplate = Field(
        description="The directory; made where it is missing, at most 100 an hour of those that a value names."
    )
    types: Globs = Field(default=(), description=TYPES)
    names_: Globs = Field(default=(), alias="names", description=NAMES)
    larger: Size | None = Field(default=None, description=LARGER)
    name: SegmentTemplate = Field(
        default=SegmentTemplate("{{ attachment.name }}"),
        description="What each file is called; `attachment` has `name`, `type` and `size`.",
    )
    per_file: Size = Field(default=100_000_000, alias="per-file", description="Larger ones stay in the message only.")
    count: int = Field(default=100, ge=1, le=10_000, description="Further ones stay in the message only.")
    mode: Mode = Field(default=0o640, description="Who may read the files, in octal.")

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        chosen = [*Selection(types=self.types, names=self.names_, larger=self.larger).of(view.message)]
        if not chosen:
            return
        pieces = (
            Piece(part=part.path, name=self._name(part, number, view, tools))
            for number, part in enumerate(chosen[: self.count], 1)
        )
        yield ExtractEffect(
            to=located(self.to, view, tools, below=tools.files),
            pieces=tuple(pieces),
            beyond=max(0, len(chosen) - self.count),
            per_file=self.per_file,
            mode=self.mode,
        )

    def _name(self, part: Part, number: int, view: View, tools: Tools) -> str:
        name = safe_name(part.filename or "", f"attachment-{number}")
        attachment = AttachmentValue(name, part.detected_type, part.size)
        return self.name.render(view, tools, attachment=attachment)


def _bounded(chunks: Iterable[bytes], limit: int) -> Iterator[bytes]:
    """The chunks; TooLarge once they are more octets than the limit."""
    for chunk in chunks:
        limit -= len(chunk)
        if limit < 0:
            raise TooLarge
        yield chunk
