"""Uuencoded files, as content of a part or as blocks within text."""

import binascii
import re
from typing import NamedTuple

from postroom.message.buffer import Raw
from postroom.message.defects import Defect, note

_BEGIN = re.compile(rb"begin [0-7]{3,4} ([^\r\n]{1,255})\r?\n")
_LINE = re.compile(rb"([!-_][ -`]{1,86})\r?(?:\n|\Z)")
_END = re.compile(rb"(?:[ `][ \t]*\r?\n)?end[ \t]*(?:\r?\n|\r?\Z)")


class Block(NamedTuple):
    """A block: the file's name, and offsets of its first byte, its first data line, their end, and its last
    byte.
    """

    name: bytes
    start: int
    data: int
    data_end: int
    end: int


def decode_lines(encoded: bytes, found: set[Defect] | None = None) -> bytes:
    """Decode the lines between `begin` and `end`, or all of them where those are missing."""
    lines = encoded.splitlines()
    first = next((number for number, line in enumerate(lines) if line.startswith(b"begin ")), -1)
    if first < 0:
        note(found, Defect.BAD_UUENCODING)
    out: list[bytes] = []
    for line in lines[first + 1 :]:
        if line.rstrip() == b"end":
            return b"".join(out)
        if line:
            out.append(_line(line, found))
    note(found, Defect.BAD_UUENCODING)
    return b"".join(out)


def _line(line: bytes, found: set[Defect] | None) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        note(found, Defect.BAD_UUENCODING)
    # Encoders that count a line too long or pad it too far: cut it to what its first character says.
    length = (line[0] - 32) & 63
    try:
        return binascii.a2b_uu(line[: 1 + (length + 2) // 3 * 4])
    except binascii.Error:
        return b""


def _is_data(line: re.Match[bytes] | None) -> bool:
    """Whether a line is about as long as its first character says; shouted text is not."""
    if line is None:
        return False
    expected = (((line[1][0] - 32) & 63) + 2) // 3 * 4
    return expected <= len(line[1]) - 1 <= expected + 2


def blocks(raw: Raw, start: int, end: int) -> list[Block]:
    """Find whole blocks in a range of text: `begin`, at least one data line, `end`. Linear in the range."""
    text = memoryview(raw)[start:end]
    found: list[Block] = []
    position = 0
    while match := _BEGIN.search(text, position):
        position = match.end()
        if match.start() and text[match.start() - 1] not in b"\r\n":
            continue
        if _is_data(_LINE.match(text, position)):
            while line := _LINE.match(text, position):
                position = line.end()
        closing = _END.match(text, position)
        if closing is None or position == match.end():
            continue
        block = (match.start() + start, match.end() + start, position + start, closing.end() + start)
        found.append(Block(bytes(match[1]).strip(), *block))
        position = closing.end()
    return found
