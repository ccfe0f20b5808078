"""Whom `forward` sends to: addresses as written, those that a message names and `allow` admits, and whom a return path
of ours is for."""

from collections.abc import Iterator, Sequence

from postroom.errors import Permanent
from postroom.pipeline.globs import Glob
from postroom.pipeline.templates import AddressTemplate
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View
from postroom.steps.patterns import matches


def recipients(
    to: Sequence[AddressTemplate], allow: Sequence[str], view: View, tools: Tools
) -> Iterator[tuple[str, str]]:
    """Each once, with why it cannot be one; empty: it can."""
    allowed = tuple(map(Glob, allow))
    yield from dict.fromkeys(_recipient(one, allowed, view, tools) for one in to)


def _recipient(template: AddressTemplate, allowed: Sequence[Glob], view: View, tools: Tools) -> tuple[str, str]:
    text = template.render(view, tools)
    if not text:
        return "", "the values of the message make no address"
    if not template.constant and not matches(allowed, text):
        return "", "the recipient is none of those in `allow`"
    try:
        return (tools.srs.reversed(text, view.now) if tools.srs is not None else None) or text, ""
    except Permanent as error:
        return "", str(error)
