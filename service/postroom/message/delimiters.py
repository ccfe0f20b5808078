"""The search for delimiters: one pass over the lines that begin like one of the multiparts that are open."""

import re
from collections.abc import Callable

from postroom.message.buffer import Raw, find, has_bare_cr, piece
from postroom.message.node import Node

_LINE_END = re.compile(rb"\r?\n|\r")
_CANDIDATE = re.compile(rb"[\r\n]--")
_CLOSED_BY_RUBBISH = re.compile(rb"(--[^\s>]+--)[^0-9A-Za-z'()+_,./:=? -]")
_TRAILING_BLANKS = 1000


class Multipart:
    """A multipart whose delimiters count, or (without a node) what lies around the outermost one."""

    __slots__ = ("child_type", "closed_at", "keys", "needle", "node", "open", "opened", "prefix")

    def __init__(self, node: Node | None, prefix: bytes, keys: tuple[bytes, ...]) -> None:
        self.node = node
        self.prefix = prefix
        """What its delimiters and those of all multiparts around it begin with."""
        self.needle = b"\n" + prefix
        self.keys = keys
        digest = node is not None and node.content_type == "multipart/digest"
        self.child_type = "message/rfc822" if digest else "text/plain"
        self.open: list[Node] = []
        """The parts that end where its next delimiter stands."""
        self.opened = False
        self.closed_at = -1


Delimiter = tuple[Multipart, bool, int, int]
"""Whose it is, whether it closes, where the part before it ends, where the next line begins."""


class Delimiters:
    """The open multiparts, the innermost last, and how far their delimiters were looked for.

    `at` is at or before the line break from which to go on. Lines are looked for by what all open boundaries have
    in common, so that each byte is searched once however deep the nesting is. Of two multiparts with one boundary
    the outer one has it.
    """

    def __init__(self, data: Raw, most: int) -> None:
        self.multiparts = [Multipart(None, b"", ())]
        self.at = 0
        self.exhausted = False
        """Whether more lines were looked at than may be."""
        self._data = data
        self._end = len(data)
        self._left = most
        self._keys: dict[bytes, tuple[Multipart, bool]] = {}
        self._longest = 0
        self._bare_cr: bool | None = None
        self.find: Callable[[bytes, int, int], int] = (
            data.find if not isinstance(data, memoryview) else lambda needle, start, end: find(data, needle, start, end)
        )

    @property
    def bare_cr(self) -> bool:
        """Whether a carriage return alone ends a line anywhere, which the faster searches do not see."""
        if self._bare_cr is None:
            self._bare_cr = has_bare_cr(self._data)
        return self._bare_cr

    def open(self, node: Node) -> bool:
        """Let the delimiters of one more multipart count; False where an open one has its boundary."""
        own = b"--" + node.boundary if node.boundary else b""
        above = self.multiparts[-1].prefix
        taken = own in self._keys
        multipart = Multipart(node, _common(above, own), () if taken or not own else (own, own + b"--"))
        for key in multipart.keys:
            self._keys.setdefault(key, (multipart, key is not own))
        self._longest = max(self._longest, len(own) + 2)
        self.multiparts.append(multipart)
        return not taken

    def close(self) -> Multipart:
        """Let those of the innermost one count no longer."""
        multipart = self.multiparts.pop()
        for key in multipart.keys:
            if self._keys[key][0] is multipart:
                del self._keys[key]
        return multipart

    def next(self, until: int) -> Delimiter | None:
        """Give the next one that begins before `until`; what was passed over is not looked at again."""
        data, keys = self._data, self._keys
        if not keys:
            return None
        find, needle, bare_cr = self.find, self.multiparts[-1].needle, self.bare_cr
        while (newline := self._candidate(until) if bare_cr else find(needle, self.at, until)) >= 0:
            self._left -= 1
            if self._left < 0:
                self.exhausted = True
                return None
            start = newline + 1
            self.at = line_end = self._line_end(start)
            line = piece(data, start, min(line_end, start + self._longest + _TRAILING_BLANKS))
            known = keys.get(line.rstrip()) or self._known(line)
            if known is not None:
                crlf = data[newline - 1 : newline + 1] == b"\r\n"
                return known[0], known[1], newline - crlf, min(self._end, line_end + 1)
        return None

    def _known(self, line: bytes) -> tuple[Multipart, bool] | None:
        """Say whose delimiter a line is, and whether it closes.

        Rubbish may follow (RFC 2046 §5.1.1, note to implementors) after a blank, and after closing dashes what
        cannot belong to a boundary; else the line names another boundary.
        """
        known = None
        if words := line.split(None, 1):
            known = self._keys.get(words[0])
            if known is not None and words[-1].rstrip() == b"--":
                # The boundary was written with blanks at its end.
                known = known[0], True
        if known is None and (match := _CLOSED_BY_RUBBISH.match(line)):
            known = self._keys.get(match[1])
        return known

    def _candidate(self, until: int) -> int:
        """Give the offset of the line break before the next line that begins with dashes, or -1."""
        match = _CANDIDATE.search(self._data, self.at, until)
        return match.start() if match else -1

    def _line_end(self, start: int) -> int:
        """Give the offset of the last octet of the line: its line feed, or a carriage return alone."""
        if self._bare_cr:
            match = _LINE_END.search(self._data, start, self._end)
            return match.end() - 1 if match else self._end
        line_feed = self.find(b"\n", start, self._end)
        return line_feed if line_feed >= 0 else self._end


def _common(one: bytes, other: bytes) -> bytes:
    """Give what both begin with; one that is empty does not count."""
    if not one or not other:
        return one or other
    length = min(len(one), len(other))
    if one[:length] == other[:length]:
        return one[:length]
    return one[: next(at for at in range(length) if one[at] != other[at])]
