"""Raw bytes to headers and parts by offset: one scan over the lines that begin like a delimiter, with a
stack.

The outermost multipart decides where its parts end (RFC 2046 §5.1.2): a delimiter of a multipart further out
ends all that is open within. Lines are looked for by the common beginning of all open delimiters, so that
each byte is searched once however deep the nesting is.
"""

import re
from typing import NamedTuple

from postroom.message import transfer, uu
from postroom.message.buffer import Raw, find, piece
from postroom.message.defects import Defect
from postroom.message.headers import Headers
from postroom.message.limits import Limits
from postroom.message.node import Node
from postroom.message.section import (
    Header,
    blank_line,
    empty_header,
    first_field,
    header,
    line_after,
    read_header,
)

__all__ = ["Index", "read_header"]

_LINE_END = re.compile(rb"[\r\n]")
_CANDIDATE = re.compile(rb"[\r\n]--")
_CLOSED_BY_RUBBISH = re.compile(rb"(--[^\s>]+--)[^0-9A-Za-z'()+_,./:=? -]")
_TRAILING_BLANKS = 1000


class _Frame:
    """A multipart whose delimiters count, or (without any) what lies around the outermost one."""

    __slots__ = ("child_type", "closed_at", "keys", "node", "open", "opened", "prefix")

    def __init__(self, node: Node | None, prefix: bytes, keys: tuple[bytes, ...], child_type: str) -> None:
        self.node = node
        self.prefix = prefix
        self.keys = keys
        self.child_type = child_type
        self.open: list[Node] = []
        """The parts that end where this multipart's next delimiter stands."""
        self.opened = False
        self.closed_at = -1


class _Delimiter(NamedTuple):
    frame: _Frame
    closing: bool
    part_end: int
    line_end: int


class Index:
    """The flat list of parts in the order of their first bytes, and what was odd about their layout."""

    def __init__(self, data: Raw, header: Header, limits: Limits) -> None:
        self.limits = limits
        self.defects: set[Defect] = set()
        self.count = 0
        scan = _Scan(self, data, header, None, None)
        waiting = [scan]
        while waiting:
            current = waiting.pop()
            current.run()
            for node in reversed(current.encoded):
                nested = self._nested(node)
                if nested is not None:
                    waiting.append(nested)
                    node.embedded = nested.nodes
        self.nodes = _flat(scan.nodes)

    @property
    def truncated(self) -> bool:
        limits = (Defect.TOO_MANY_PARTS, Defect.TOO_DEEP, Defect.TOO_MANY_BOUNDARIES)
        return not self.defects.isdisjoint(limits) or any(node.headers.cut for node in self.nodes)

    def room(self) -> bool:
        """Whether one more part may be indexed."""
        if self.count < self.limits.parts:
            self.count += 1
            return True
        self.defects.add(Defect.TOO_MANY_PARTS)
        return False

    def deeper(self, node: Node) -> bool:
        """Whether the node may have children."""
        if node.depth < self.limits.depth:
            return True
        self.defects.add(Defect.TOO_DEEP)
        return False

    def _nested(self, node: Node) -> "_Scan | None":
        """Begin on a message that is encoded as a whole (RFC 2046 §5.2.1 forbids it; many programs write it)."""
        if not self.deeper(node):
            return None
        content = transfer.decode(node.data, node.body_start, node.end, node.encoding)
        header = read_header(content, 0, len(content), self.limits, leading=True)
        return _Scan(self, content, header, node, node)


def _flat(nodes: list[Node]) -> list[Node]:
    """Put the parts of encoded messages after what held them, and number all."""
    flat: list[Node] = []
    waiting = nodes[::-1]
    while waiting:
        node = waiting.pop()
        node.number = len(flat)
        flat.append(node)
        if node.embedded:
            waiting.extend(reversed(node.embedded))
    return flat


def _common(one: bytes, other: bytes) -> bytes:
    """Give what both begin with."""
    length = min(len(one), len(other))
    if one[:length] == other[:length]:
        return one[:length]
    return one[: next(at for at in range(length) if one[at] != other[at])]


class _Scan:
    """The scan of one buffer: the message, or an encoded message within it."""

    def __init__(self, index: Index, data: Raw, header: Header, parent: Node | None, within: Node | None) -> None:
        self.index = index
        self.nodes: list[Node] = []
        self.encoded: list[Node] = []
        self._data = data
        self._end = len(data)
        self._header = header
        self._parent = parent
        self._within = within
        self._frames = [_Frame(None, b"", (), "text/plain")]
        self._keys: dict[bytes, tuple[_Frame, bool]] = {}
        self._longest = 0
        self._at = 0
        self._next: _Delimiter | None = None
        self._blank = (0, 0, 0)
        self._candidates = 0
        self._bare_cr: bool | None = None
        self._cr_before_dashes: bool | None = None
        self._stopped = False

    def run(self) -> None:
        """Find all parts of the buffer."""
        if self.index.room():
            self._begin(self._parent, self._header, "text/plain", message_root=True)
        while len(self._frames) > 1 and not self._stopped:
            delimiter = self._next or self._delimiter(self._end)
            self._next = None
            if delimiter is None:
                break
            self._pass(delimiter)
        while self._frames:
            self._pop(self._end)

    def _begin(self, parent: Node | None, header: Header, default: str, *, message_root: bool) -> None:
        """Add the part that has this header, and what begins with it: a message within, a multipart."""
        frame = self._frames[-1]
        while True:
            node = self._node(parent, header, default, message_root=message_root)
            frame.open.append(node)
            self._at = max(self._at, node.body_start - 1)
            if node.is_multipart:
                if self.index.deeper(node):
                    self._push(node)
                return
            if not node.is_message or self._next is not None:
                return
            if transfer.decodes(node.encoding):
                self.encoded.append(node)
                return
            if not self.index.deeper(node) or not self.index.room():
                return
            header = self._read(node.body_start, leading=True)
            parent, default, message_root = node, "text/plain", True

    def _node(self, parent: Node | None, header: Header, default: str, *, message_root: bool) -> Node:
        node = Node(self._data, header.start, parent, self._within, header.fields)
        node.body_start = header.body_start
        node.describe(default)
        node.defects |= header.defects
        if message_root and node.is_multipart:
            node.base = parent.path if parent else ""
            node.path = f"{node.base}.TEXT" if node.base else "TEXT"
            if parent is not None:
                parent.children += 1
        else:
            node.path = node.base = parent.number_child(message_root=message_root) if parent else "1"
            node.is_first = message_root or parent is None or parent.children == 1
        self.nodes.append(node)
        return node

    def _push(self, node: Node) -> None:
        """Open a multipart, so that its delimiters count."""
        raw = b"--" + node.boundary if node.boundary else b""
        if not raw:
            node.defects.add(Defect.NO_BOUNDARY)
        elif raw in self._keys:
            node.defects.add(Defect.REPEATED_BOUNDARY)
        above = self._frames[-1].prefix
        prefix = _common(above, raw) if above and raw else above or raw
        keys = tuple(key for key in (raw, raw + b"--") if raw and key not in self._keys)
        digest = node.content_type == "multipart/digest"
        frame = _Frame(node, prefix or b"", keys, "message/rfc822" if digest else "text/plain")
        for key in keys:
            self._keys[key] = (frame, key != raw)
        self._longest = max(self._longest, len(raw) + 2)
        self._frames.append(frame)

    def _pop(self, part_end: int) -> None:
        """Close the innermost multipart where what holds it ends."""
        frame = self._frames.pop()
        self._end_parts(frame, part_end)
        for key in frame.keys:
            del self._keys[key]
        node = frame.node
        if node is None:
            return
        if not frame.opened:
            self._imply(frame, node, part_end)
        elif frame.closed_at < 0 and not self._stopped:
            node.defects.add(Defect.NO_CLOSING_DELIMITER)

    def _imply(self, frame: _Frame, node: Node, part_end: int) -> None:
        """Show the body of a multipart without delimiters as one text: no content is lost to a missing line."""
        if Defect.NO_BOUNDARY not in node.defects:
            node.defects.add(Defect.NO_DELIMITER)
        start = min(node.body_start, part_end)
        text = Node(self._data, start, node, self._within, Headers(b"", start, 0, 0))
        text.path = text.base = node.number_child(message_root=False)
        text.end = max(start, frame.closed_at if frame.closed_at >= 0 else part_end)
        self.nodes.append(text)

    def _pass(self, delimiter: _Delimiter) -> None:
        """End the parts that the delimiter ends, and begin the next one."""
        frame = delimiter.frame
        if not delimiter.closing and not self.index.room():
            self._stopped = True
            return
        while self._frames[-1] is not frame:
            self._pop(delimiter.part_end)
        self._end_parts(frame, delimiter.part_end)
        node = frame.node
        if node is None:
            return
        if delimiter.closing:
            frame.closed_at = frame.closed_at if frame.closed_at >= 0 else delimiter.part_end
            return
        if frame.closed_at >= 0:
            node.defects.add(Defect.PART_AFTER_CLOSE)
        frame.opened = True
        start = line_after(self._data, delimiter.line_end, self._end)
        self._begin(node, self._read(start, leading=False), frame.child_type, message_root=False)

    def _end_parts(self, frame: _Frame, part_end: int) -> None:
        for node in frame.open:
            node.end = max(part_end, node.start)
            node.body_start = min(node.body_start, node.end)
        if frame.open:
            self._find_uuencoded(frame.open[-1])
            frame.open.clear()

    def _find_uuencoded(self, node: Node) -> None:
        """Add a part for each uuencoded file within a text."""
        if node.content_type != "text/plain" or transfer.decodes(node.encoding) or node is not self.nodes[-1]:
            return
        if find(node.data, b"begin ", node.body_start, node.end) < 0:
            return
        for block in uu.blocks(node.data, node.body_start, node.end):
            if not self.index.room():
                return
            node.uu.append(block)
            node.defects.add(Defect.UUENCODED_BLOCK)
            file = Node(node.data, block.start, node, self._within, Headers(b"", block.start, 0, 0))
            file.end = block.end
            file.content_type, file.encoding = "application/octet-stream", "x-uuencode"
            file.path = f"{node.path}/{len(node.uu)}"
            file.uu = [block]
            self.nodes.append(file)

    def _read(self, start: int, *, leading: bool) -> Header:
        """Read the header of a part, which a delimiter may cut short."""
        data, end, limits = self._data, self._end, self.index.limits
        self._at = start - 1
        first, defects = first_field(data, start, end, leading=leading)
        if first is None:
            return empty_header(data, start, end, limits)
        block_end, body_start = self._blank_line(first)
        self._next = self._delimiter(body_start) if self._keys else None
        if self._next is not None:
            block_end = body_start = max(first, self._next.part_end)
        return header(data, first, block_end, body_start, defects=defects, limits=limits)

    def _blank_line(self, start: int) -> tuple[int, int]:
        """Give where the first blank line from `start` on begins and ends; what is known is not looked for
        again.
        """
        since, begin, _ = self._blank
        if not since <= start < begin:
            if self._bare_cr is None:
                self._bare_cr = find(self._data, b"\r\r", 0, self._end) >= 0
            self._blank = (start, *blank_line(self._data, start, self._end, bare_cr=self._bare_cr))
        return self._blank[1:]

    def _delimiter(self, until: int) -> _Delimiter | None:
        """Give the next delimiter of any open multipart that begins before `until`."""
        data = self._data
        while (newline := self._candidate(until)) >= 0:
            self._candidates += 1
            if self._candidates > self.index.limits.boundaries:
                self.index.defects.add(Defect.TOO_MANY_BOUNDARIES)
                self._stopped = True
                return None
            match = _LINE_END.search(data, newline + 1, self._end)
            line_end = match.start() if match else self._end
            self._at = line_end
            line = piece(data, newline + 1, min(line_end, newline + 1 + self._longest + _TRAILING_BLANKS))
            known = self._known(line)
            if known is not None:
                crlf = data[newline] == 0x0A and newline > 0 and data[newline - 1] == 0x0D
                return _Delimiter(*known, newline - 1 if crlf else newline, line_end)
        return None

    def _known(self, line: bytes) -> tuple[_Frame, bool] | None:
        """Say whose delimiter a line is, and whether it closes.

        Rubbish may follow (RFC 2046 §5.1.1, note to implementors) after a blank, and after closing dashes what
        cannot belong to a boundary; else the line names another boundary.
        """
        known = self._keys.get(line.rstrip())
        if known is None and (words := line.split(None, 1)):
            known = self._keys.get(words[0])
        if known is None and (match := _CLOSED_BY_RUBBISH.match(line)):
            known = self._keys.get(match[1])
        return known

    def _candidate(self, until: int) -> int:
        """Give the offset of the line break before the next line that begins like an open delimiter, or -1."""
        data, prefix = self._data, self._frames[-1].prefix
        if self._cr_before_dashes is None:
            self._cr_before_dashes = find(data, b"\r--", 0, self._end) >= 0
        if not self._cr_before_dashes:
            return find(data, b"\n" + prefix, self._at, until) if prefix else -1
        match = _CANDIDATE.search(data, self._at, until)
        return match.start() if match else -1
