"""Raw bytes to headers and parts by offset: one scan from delimiter to delimiter, with a stack.

The outermost multipart decides where its parts end (RFC 2046 §5.1.2): a delimiter of a multipart further out ends all
that is open within.
"""

from postroom.message import transfer, uu
from postroom.message.buffer import Raw
from postroom.message.defects import Defect
from postroom.message.delimiters import Delimiter, Delimiters, Multipart
from postroom.message.headers import Headers
from postroom.message.limits import Limits
from postroom.message.node import Node
from postroom.message.section import blank_line, first_field, header, no_header, read_header

_LIMITS = frozenset((Defect.TOO_MANY_PARTS, Defect.TOO_DEEP, Defect.TOO_MANY_BOUNDARIES))


class Index:
    """The flat list of parts in the order of their first bytes, and what was odd about their layout."""

    def __init__(self, data: Raw, top: Headers, limits: Limits) -> None:
        self.limits = limits
        self.defects: set[Defect] = set()
        self.holds_messages = False
        self._room = limits.parts
        scan = _Scan(self, data, top, None, None)
        waiting = [scan]
        while waiting:
            current = waiting.pop()
            current.run()
            for node in reversed(current.encoded):
                nested = self._nested(node)
                if nested is not None:
                    waiting.append(nested)
                    node.embedded = nested.nodes
        self.nodes = _flat(scan.nodes) if scan.encoded else scan.nodes
        for number, node in enumerate(self.nodes):
            node.number = number

    @property
    def truncated(self) -> bool:
        return not self.defects.isdisjoint(_LIMITS) or any(node.headers.cut for node in self.nodes)

    def room(self) -> bool:
        """Whether one more part may be indexed."""
        if self._room:
            self._room -= 1
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
        """Begin on a message that is encoded as a whole: RFC 2046 §5.2.1 forbids it; many programs do it."""
        if not self.deeper(node):
            return None
        content = transfer.decode(node.data, node.body_start, node.end, node.encoding)
        return _Scan(self, content, read_header(content, 0, len(content), self.limits), node, node)


def _flat(nodes: list[Node]) -> list[Node]:
    """Put the parts of encoded messages after what held them."""
    flat: list[Node] = []
    waiting = nodes[::-1]
    while waiting:
        node = waiting.pop()
        flat.append(node)
        waiting.extend(reversed(node.embedded))
    return flat


class _Scan:
    """The scan of one buffer: the message, or an encoded message within it."""

    def __init__(self, index: Index, data: Raw, top: Headers, parent: Node | None, within: Node | None) -> None:
        self.nodes: list[Node] = []
        self.encoded: list[Node] = []
        self._index = index
        self._data = data
        self._end = len(data)
        self._top = top
        self._parent = parent
        self._within = within
        self._delimiters = Delimiters(data, index.limits.boundaries)
        self._next: Delimiter | None = None
        """A delimiter that cut a header short."""
        self._blank = (0, 0, 0)
        self._full = False

    def run(self) -> None:
        """Find all parts of the buffer."""
        delimiters = self._delimiters
        if self._index.room():
            self._begin(self._parent, self._top, "text/plain", message_root=True)
        while len(delimiters.multiparts) > 1 and not self._full:
            delimiter = self._next or delimiters.next(self._end)
            self._next = None
            if delimiter is None:
                break
            self._pass(delimiter)
        if delimiters.exhausted:
            self._full = True
            self._index.defects.add(Defect.TOO_MANY_BOUNDARIES)
        while delimiters.multiparts:
            self._close(self._end)

    def _begin(self, parent: Node | None, headers: Headers, default: str, *, message_root: bool) -> None:
        """Add the part that has this header, and what begins with it: a message within, a multipart."""
        holder = self._delimiters.multiparts[-1]
        while True:
            node = Node(self._data, headers, parent, self._within)
            node.describe(default)
            node.place(message_root=message_root)
            self.nodes.append(node)
            holder.open.append(node)
            if self._next is None:
                self._delimiters.at = node.body_start - 1
            if node.is_multipart:
                if self._index.deeper(node):
                    self._open(node)
                return
            if not node.is_message:
                return
            self._index.holds_messages = True
            if self._next is not None:
                return
            if transfer.decodes(node.encoding):
                self.encoded.append(node)
                return
            if not self._index.deeper(node) or not self._index.room():
                return
            headers = self._read(node.body_start, leading=True)
            parent, default, message_root = node, "text/plain", True

    def _open(self, node: Node) -> None:
        if not node.boundary:
            node.defects.add(Defect.NO_BOUNDARY)
        if not self._delimiters.open(node):
            node.defects.add(Defect.REPEATED_BOUNDARY)

    def _close(self, part_end: int) -> None:
        """Close the innermost multipart where what holds it ends."""
        multipart = self._delimiters.close()
        self._end_parts(multipart, part_end)
        node = multipart.node
        if node is None:
            return
        if not multipart.opened:
            self._imply(multipart, node, part_end)
        elif multipart.closed_at < 0 and not self._full:
            node.defects.add(Defect.NO_CLOSING_DELIMITER)

    def _imply(self, multipart: Multipart, node: Node, part_end: int) -> None:
        """Show the body of a multipart without delimiters as one text: a missing line loses no content."""
        if node.boundary:
            node.defects.add(Defect.NO_DELIMITER)
        if not self._index.room():
            return
        start = min(node.body_start, part_end)
        text = Node(self._data, Headers(b"", start, self._index.limits), node, self._within)
        text.place(message_root=False)
        text.end = max(start, multipart.closed_at if multipart.closed_at >= 0 else part_end)
        self.nodes.append(text)

    def _pass(self, delimiter: Delimiter) -> None:
        """End the parts that the delimiter ends, and begin the next one."""
        multipart, closing, part_end, next_line = delimiter
        if not closing and not self._index.room():
            self._full = True
            return
        while self._delimiters.multiparts[-1] is not multipart:
            self._close(part_end)
        self._end_parts(multipart, part_end)
        if closing:
            if multipart.closed_at < 0:
                multipart.closed_at = part_end
            return
        if multipart.closed_at >= 0 and multipart.node is not None:
            multipart.node.defects.add(Defect.PART_AFTER_CLOSE)
        multipart.opened = True
        headers = self._read(next_line, leading=False)
        self._begin(multipart.node, headers, multipart.child_type, message_root=False)

    def _end_parts(self, multipart: Multipart, part_end: int) -> None:
        if not multipart.open:
            return
        for node in multipart.open:
            node.end = part_end
            if part_end < node.body_start:
                node.end = node.body_start = max(node.start, part_end)
        if node is self.nodes[-1] and node.content_type == "text/plain" and not transfer.decodes(node.encoding):
            self._find_uuencoded(node)
        multipart.open.clear()

    def _find_uuencoded(self, node: Node) -> None:
        """Add a part for each uuencoded file within a text."""
        if self._delimiters.find(b"begin ", node.body_start, node.end) < 0:
            return
        files: list[uu.Block] = []
        for block in uu.blocks(self._data, node.body_start, node.end):
            if not self._index.room():
                break
            files.append(block)
            file = Node(self._data, Headers(b"", block.start, self._index.limits), node, self._within)
            file.end = block.end
            file.content_type, file.encoding = "application/octet-stream", "x-uuencode"
            file.path = f"{node.path}/{len(files)}"
            file.block = block
            self.nodes.append(file)
        if files:
            node.files = files
            node.defects.add(Defect.UUENCODED_BLOCK)

    def _read(self, start: int, *, leading: bool) -> Headers:
        """Read the header of a part, which a delimiter may cut short."""
        data, end, limits = self._data, self._end, self._index.limits
        first, before = first_field(data, start, end, leading=leading)
        self._delimiters.at = start - 1
        if first is None:
            return no_header(data, start, end, limits)
        block_end, body_start = self._blank_line(first)
        if self._delimiters.find(b"--", start, block_end) >= 0:
            self._next = self._delimiters.next(body_start)
        if self._next is not None:
            block_end = body_start = max(first, self._next[2])
        headers = header(data, first, block_end, body_start, limits)
        if headers.end < block_end:
            # It ended before the delimiter, and there may be others in between.
            self._next = None
        if before:
            headers.found.update(before)
        return headers

    def _blank_line(self, start: int) -> tuple[int, int]:
        """Give where the first blank line from `start` on begins and ends, or what was found of it before."""
        since, begin, end = self._blank
        if not since <= start < begin:
            begin, end = blank_line(self._data, start, self._end, bare_cr=self._delimiters.bare_cr)
            self._blank = (start, begin, end)
        return begin, end
