"""The step `archive`: the raw message as a file."""

import zlib
from collections.abc import Iterable, Iterator
from typing import ClassVar

from pydantic import Field

from postroom.pipeline.outcome import Effect, Letter, Outcome, Receipt
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.templates import PathTemplate
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View
from postroom.steps.allowance import place
from postroom.steps.location import Location, located
from postroom.transports import directory

BLOCK = 1 << 18


class ArchiveEffect(Effect):
    """One file, named by the effect's key, so that a second try finds the first one's."""

    word: ClassVar[str] = "archive"

    to: Location
    gzip: bool = False

    @property
    def target(self) -> str:
        return self.to.shown

    def perform(self, letter: Letter, tools: Tools) -> Receipt:
        name = f"{letter.key}.eml.gz" if self.gzip else f"{letter.key}.eml"
        chunks = compressed(letter.chunks) if self.gzip else letter.chunks
        place(tools.memory, self.to, letter.key)
        with directory.opened(self.to.below, self.to.at) as opened:
            name, new = directory.store(opened, name, chunks, key=letter.key, mode=0o600, again=letter.again)
        return Receipt(detail=name, repeated=not new)


class ArchiveStep(Step):
    """Writes the message, as edited so far, to a file of its own in a directory; `gzip` compresses it.
    Relative paths lie below the state directory's `files`. It is a copy: the message is kept all the same.

        - archive: all/{{ received.year }}
        - archive: {to: /srv/archive, gzip: true}
    """

    word: ClassVar[str] = "archive"
    kind: ClassVar[Kind] = "act"
    main: ClassVar[str | None] = "to"

    to: PathTemplate = Field(
        description="The directory; made where it is missing, at most 100 an hour of those that a value names."
    )
    gzip: bool = Field(default=False, description="Compressed, with `.gz` behind the name.")

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        yield ArchiveEffect(to=located(self.to, view, tools, below=tools.files), gzip=self.gzip)


def compressed(chunks: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """As gzip writes it (RFC 1952), without a time: the same message gives the same octets."""
    packer = zlib.compressobj(wbits=31)
    for chunk in chunks:
        view = memoryview(chunk)
        for start in range(0, len(view), BLOCK):
            yield packer.compress(view[start : start + BLOCK])
    yield packer.flush()
