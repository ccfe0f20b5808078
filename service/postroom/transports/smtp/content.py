"""A message as it goes over the wire: line ends are CRLF, leading dots are doubled, and nothing else is touched.

A bare CR or LF is a line end too: a server that took one for it could be made to see two messages in one
(SMTP smuggling). Only messages that held such line ends are changed by that.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

BLOCK: Final = 1 << 18
LONGEST: Final = 998  # octets of a line without its CRLF (RFC 5321 4.5.3.1.6)
END: Final = b".\r\n"
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_LONG: Final = re.compile(rb"[^\r\n]{%d}" % (LONGEST + 1))


@dataclass(frozen=True, slots=True)
class Measure:
    """What a server may object to. `size`: octets with CRLF line ends (RFC 1870), dots not doubled."""

    size: int
    eight_bit: bool
    long_lines: bool


def measured(chunks: Iterable[bytes | memoryview]) -> Measure:
    """Look through a message once."""
    size, eight_bit, long_lines, tail, last = 0, False, False, b"", b""
    for block in canonical(chunks):
        size += len(block)
        eight_bit = eight_bit or not block.isascii()
        long_lines = long_lines or bool(_LONG.search(tail + block))
        last = block[-2:]
        tail = block[-LONGEST:] if len(block) >= LONGEST else (tail + block)[-LONGEST:]
    return Measure(size if last == b"\r\n" else size + 2 * bool(size), eight_bit, long_lines)


def canonical(chunks: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """With CRLF line ends; no block ends within one."""
    held = b""
    for block in _blocks(chunks):
        block = held + block
        held = b""
        if block.endswith(b"\r"):
            block, held = block[:-1], b"\r"
        if not block.count(b"\r\n") == block.count(b"\n") == block.count(b"\r"):
            block = _LINE_END.sub(b"\r\n", block)
        if block:
            yield block
    if held:
        yield b"\r\n"


def stuffed(chunks: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """As DATA takes it, up to the final dot, which is in the last block: until that is sent nothing is delivered."""
    fresh, held = True, b""
    for block in canonical(chunks):
        piece = block.replace(b"\r\n.", b"\r\n..")
        if fresh and piece.startswith(b"."):
            piece = b"." + piece
        fresh = piece.endswith(b"\r\n")
        if held:
            yield held
        held = piece
    yield held + (END if fresh else b"\r\n" + END)


def _blocks(chunks: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """Of bounded size; small chunks are joined."""
    small: list[bytes] = []
    held = 0
    for chunk in chunks:
        view = memoryview(chunk)
        for start in range(0, len(view), BLOCK):
            piece = bytes(view[start : start + BLOCK])
            small.append(piece)
            held += len(piece)
            if held >= BLOCK:
                yield b"".join(small)
                small, held = [], 0
    if small:
        yield b"".join(small)
