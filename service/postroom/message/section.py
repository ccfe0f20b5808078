"""The header of a message or a part: where it begins, where its body does."""

import re
from collections.abc import Sequence

from postroom.message.buffer import Raw, piece
from postroom.message.defects import Defect
from postroom.message.headers import Headers
from postroom.message.limits import Limits

# Where no bare CR is about, the simple one is much faster.
_BLANK_LINE = re.compile(rb"(\n)\r?\n")
_BLANK_LINE_CR = re.compile(rb"(\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_LEADING = re.compile(rb"(?:[ \t]*+(?:\r\n|\n|\r))*+(?:>?From [^\r\n]*+(?:\r\n|\n|\r))?+([ \t]*+)")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_FIELD_NAME = re.compile(rb"[!-9;-~\x80-\xff]++[ \t]*+:")


def read_header(data: Raw, start: int, end: int, limits: Limits) -> Headers:
    """Read the header of a message: what may stand before the first field is passed over."""
    first, before = first_field(data, start, end, leading=True)
    if first is None:
        return no_header(data, start, end, limits)
    top = header(data, first, *blank_line(data, first, end, bare_cr=False), limits)
    if Defect.BARE_CR in top.found:
        top = header(data, first, *blank_line(data, first, end, bare_cr=True), limits)
    top.found.update(before)
    return top


def blank_line(data: Raw, start: int, end: int, *, bare_cr: bool) -> tuple[int, int]:
    """Give where the first blank line begins and ends, both the end where there is none.

    `bare_cr` says that a CR alone may make one.
    """
    match = (_BLANK_LINE_CR if bare_cr else _BLANK_LINE).search(data, start, end)
    return (match.end(1), match.end()) if match else (end, end)


def first_field(data: Raw, start: int, end: int, *, leading: bool) -> tuple[int | None, Sequence[Defect]]:
    """Give the offset of the first field, None where there is none, and what is odd about its place.

    If `leading`, blank lines and an mbox `From ` line may stand before it.
    """
    if _FIELD_NAME.match(data, start, end):
        return start, ()
    match = _LEADING.match(data, start, end) if leading else None
    if match is None or not _FIELD_NAME.match(data, match.end(), end):
        return None, ()
    lines, blanks = match.start(1) > start, match.end() > match.start(1)
    return match.end(), (Defect.LEADING_LINES,) * lines + (Defect.FOLDED_FIRST_LINE,) * blanks


def header(data: Raw, first: int, block_end: int, body_start: int, limits: Limits) -> Headers:
    """Read the fields of a range, behind which the body begins if all of it is header."""
    headers = Headers(piece(data, first, block_end), first, limits)
    if headers.end == block_end:
        headers.body_start = body_start
    else:
        headers.found.add(Defect.NO_HEADER_END)
    return headers


def no_header(data: Raw, start: int, end: int, limits: Limits) -> Headers:
    """Give the header of something that begins with its body, with or without the blank line before it."""
    headers = Headers(b"", start, limits)
    if blank := _LINE_END.match(data, start, end):
        headers.body_start = blank.end()
    elif start < end:
        headers.found.add(Defect.NO_HEADER_END)
    return headers
