"""The header of a message or a part: where it begins, its fields, where the body begins."""

import re
from typing import NamedTuple

from postroom.message.buffer import Raw, piece
from postroom.message.defects import Defect
from postroom.message.headers import Headers
from postroom.message.limits import Limits

# Where no bare CR is about, the simple one is much faster.
_BLANK_LINE = re.compile(rb"\n\r?\n")
_BLANK_LINE_CR = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_LEADING = re.compile(rb"(?:[ \t]*+(?:\r\n|\n|\r))*+(?:>?From [^\r\n]*+(?:\r\n|\n|\r))?+([ \t]*+)")
_FIELD_NAME = re.compile(rb"[!-9;-~\x80-\xff]++[ \t]*+:")


class Header(NamedTuple):
    """A header that was read: its fields, where they begin, where the body does, and what was odd about its
    place.
    """

    fields: Headers
    start: int
    body_start: int
    defects: set[Defect]


def read_header(data: Raw, start: int, end: int, limits: Limits, *, leading: bool) -> Header:
    """Read the header that begins at `start`; if `leading`, after blank lines and an mbox `From ` line."""
    first, defects = first_field(data, start, end, leading=leading)
    if first is None:
        return empty_header(data, start, end, limits)
    block_end, body_start = blank_line(data, first, end, bare_cr=False)
    top = header(data, first, block_end, body_start, defects=defects, limits=limits)
    if Defect.BARE_CR not in top.fields.found:
        return top
    block_end, body_start = blank_line(data, first, end, bare_cr=True)
    return header(data, first, block_end, body_start, defects=defects, limits=limits)


def blank_line(data: Raw, start: int, end: int, *, bare_cr: bool) -> tuple[int, int]:
    """Give where the first blank line begins and ends, both the end where there is none.

    `bare_cr` says that a CR alone may make one.
    """
    match = (_BLANK_LINE_CR if bare_cr else _BLANK_LINE).search(data, start, end)
    return (line_after(data, match.start(), end), match.end()) if match else (end, end)


def first_field(data: Raw, start: int, end: int, *, leading: bool) -> tuple[int | None, set[Defect]]:
    """Give the offset of the first field, None where there is none; what stands before it is passed over if
    `leading`.
    """
    defects: set[Defect] = set()
    if _FIELD_NAME.match(data, start, end):
        return start, defects
    match = _LEADING.match(data, start, end) if leading else None
    if match is None or not _FIELD_NAME.match(data, match.end(), end):
        return None, defects
    if match.start(1) > start:
        defects.add(Defect.LEADING_LINES)
    if match.end() > match.start(1):
        defects.add(Defect.FOLDED_FIRST_LINE)
    return match.end(), defects


def header(data: Raw, first: int, block_end: int, body_start: int, *, defects: set[Defect], limits: Limits) -> Header:
    fields = Headers(piece(data, first, block_end), first, limits.headers, limits.header)
    if fields.end < block_end:
        # The rest is no header.
        defects.add(Defect.NO_HEADER_END)
        body_start = fields.end
    return Header(fields, first, body_start, defects)


def empty_header(data: Raw, start: int, end: int, limits: Limits) -> Header:
    """Give the header of something that begins with its body, with or without the blank line before it."""
    body_start = line_after(data, start, end) if start < end and data[start] in b"\r\n" else start
    missing = {Defect.NO_HEADER_END} if body_start == start < end else set()
    return Header(Headers(b"", start, limits.headers, limits.header), start, body_start, missing)


def line_after(data: Raw, line_end: int, end: int) -> int:
    """Give the offset after the line break at `line_end`."""
    return min(end, line_end + (2 if data[line_end : line_end + 2] == b"\r\n" else 1))
