"""Which attachments a step means: by type, by name, by size."""

from collections.abc import Iterator
from functools import cached_property

from postroom.message import Message, Part
from postroom.model import Model
from postroom.pipeline.globs import Glob
from postroom.steps.patterns import Globs, matches
from postroom.units import Size

# What options of this name say in every step that has them.
TYPES = "Globs on the type, as labelled or as the content shows; default: every type."
NAMES = "Globs on the file name; default: every name."
LARGER = "Only attachments of more than this size."


class Selection(Model):
    """Attachments for which all that is given holds; of several globs any one."""

    types: Globs = ()
    names: Globs = ()
    larger: Size | None = None

    def of(self, message: Message) -> Iterator[Part]:
        """The chosen attachments, in order."""
        return (part for part in message.attachments if self._holds(part))

    def _holds(self, part: Part) -> bool:
        if self.larger is not None and part.size <= self.larger:
            return False
        if self.names and not matches(self._names, part.filename or ""):
            return False
        # The label, or what the octets say: an operator means either.
        return not self.types or matches(self._types, part.content_type) or matches(self._types, part.detected_type)

    @cached_property
    def _names(self) -> tuple[Glob, ...]:
        return tuple(map(Glob, self.names))

    @cached_property
    def _types(self) -> tuple[Glob, ...]:
        return tuple(map(Glob, self.types))
