"""The two forms in which headers and bodies are signed (RFC 6376 §3.4). A message that lies here with bare line feeds
was sent with CRLF, so that these are taken for line ends."""

import re
from collections.abc import Iterator
from typing import Final, Literal

from postroom.message.buffer import Raw, piece

Form = Literal["simple", "relaxed"]

BLOCK: Final = 1 << 20  # octets of a body that are looked at together, to the end of the line
_BLANKS: Final = re.compile(rb"[ \t]+")
_WHITE: Final = re.compile(rb"[ \t\r\n]+")
_SIGNED: Final = re.compile(rb"([;:][ \t\r\n]*+b[ \t\r\n]*+=)[^;]*+")


def header(raw: bytes, form: Form) -> bytes:
    """One field with its line end."""
    if form == "simple":
        return _crlf(raw.rstrip(b"\r\n")) + b"\r\n"
    name, _, value = raw.partition(b":")
    return name.rstrip(b" \t").lower() + b":" + _WHITE.sub(b" ", value).strip(b" ") + b"\r\n"


def unsigned(raw: bytes) -> bytes:
    """A signature's field with its `b=` emptied."""
    return _SIGNED.sub(rb"\1", raw, count=1)


def body(raw: Raw, start: int, form: Form) -> Iterator[bytes]:
    """The body, which begins at `start`, in pieces. Empty lines at its end do not count; what is left
    ends with one CRLF; nothing but empty lines is one CRLF (`simple`) or nothing (`relaxed`)."""
    pending, empty = 0, True
    for block in _blocks(raw, start):
        if form == "relaxed":
            block = _BLANKS.sub(b" ", block).replace(b" \r\n", b"\r\n")
        end = _content(block)
        if end:
            yield b"\r\n" * pending
            yield block[:end]
            pending, empty = 0, False
        pending += (len(block) - end) // 2
    if not empty or form == "simple":
        yield b"\r\n"


def _blocks(raw: Raw, at: int) -> Iterator[bytes]:
    """Whole lines, each ending with CRLF."""
    while at < len(raw):
        end = min(at + BLOCK, len(raw))
        while end < len(raw) and raw[end - 1] != 10:
            # A line may be longer than a block: look on in steps, for a line end and no more.
            found = piece(raw, end, end + BLOCK).find(b"\n")
            end = min(end + BLOCK, len(raw)) if found < 0 else end + found + 1
        block = _crlf(piece(raw, at, end))
        yield block if block.endswith(b"\r\n") else block + b"\r\n"
        at = end


def _content(block: bytes) -> int:
    """Where the empty lines at the end of a block begin, the CRLF of the last line included."""
    start = len(block.rstrip(b"\r\n"))
    bare = block.rfind(b"\r\r", start)  # a CR that ends no line is content
    return start if bare < 0 else bare + 1


def _crlf(text: bytes) -> bytes:
    if text.count(b"\n") == text.count(b"\r\n"):
        return text
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
