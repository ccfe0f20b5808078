"""Cuts what a server sends into responses: lines, and literals inside them. Iterative, and bounded everywhere."""

import re

LINE = 1 << 20
LITERAL = 1 << 26
PIECES = 1 << 16

Pieces = tuple[bytes, ...]
"""One response: a line without its end, then by turns a literal that it announced and the line that follows."""

_ANNOUNCED = re.compile(rb"\{(\d{1,10})\+?\}\Z")
# The text of these is for people: `{7}` at its end announces nothing.
_STATUS = re.compile(rb"(?:\*|[^*+ ]+) (?:OK|NO|BAD|BYE|PREAUTH)(?: |\Z)|\+", re.IGNORECASE)


class Unparsable(ValueError):  # noqa: N818 - reads as a verdict where it is raised
    """The server sends more than any answer needs; what follows cannot be told apart any more."""


class Parser:
    """Takes octets as they come and gives whole responses. `literal`: the longest that is accepted."""

    def __init__(self, *, line: int = LINE, literal: int = LITERAL) -> None:
        self._longest_line = line
        self._longest_literal = literal
        self._line = bytearray()
        self._pieces: list[bytes] = []
        self._literal = bytearray()
        self._missing = 0

    @property
    def is_inside(self) -> bool:
        """Whether part of a response has come and its end has not."""
        return bool(self._line or self._pieces)

    def feed(self, data: bytes) -> list[Pieces]:
        """The responses that these octets complete. Raises Unparsable."""
        done = []
        at = 0
        while at < len(data):
            if self._missing:
                at += self._fill(data[at : at + self._missing])
                continue
            end = data.find(b"\n", at) + 1
            self._line += data[at : end or len(data)]
            if len(self._line) > self._longest_line:
                raise Unparsable("a line that does not end")
            if not end:
                break
            at = end
            if self._ends():
                done.append(tuple(self._pieces))
                self._pieces.clear()
        return done

    def _fill(self, chunk: bytes) -> int:
        self._literal += chunk
        self._missing -= len(chunk)
        if not self._missing:
            self._pieces.append(bytes(self._literal))
            self._literal = bytearray()
        return len(chunk)

    def _ends(self) -> bool:
        """Whether the response ends with the line that is complete now."""
        line = bytes(self._line).rstrip(b"\r\n")
        self._line.clear()
        self._pieces.append(line)
        announced = _ANNOUNCED.search(line)
        if announced is None or (len(self._pieces) == 1 and _STATUS.match(line)):
            return True
        self._missing = int(announced[1])
        if self._missing > self._longest_literal:
            raise Unparsable("a literal larger than any that was asked for")
        if len(self._pieces) > PIECES:
            raise Unparsable("a response of too many parts")
        if not self._missing:
            self._pieces.append(b"")
        return False
