"""Edits of a message as slices over its bytes: what is not touched stays as it was, and so do signatures.

Header edits act on the header of the message itself, in their order, each on what the one before left. Parts
are named by their path in the original, so dropping one never renames another.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field

from postroom.message.buffer import Raw, plain
from postroom.message.defects import Defect
from postroom.message.folding import encode_header
from postroom.message.headers import Headers
from postroom.message.limits import DEFAULT_LIMITS, Limits
from postroom.message.model import parse
from postroom.message.node import Node
from postroom.message.note import note_body, note_line
from postroom.model import Model

FieldName = Annotated[str, Field(pattern=r"^[!-9;-~]{1,76}$")]
"""A header field's name (RFC 5322 §3.6.8)."""

_LINE_END = re.compile(rb"\r\n|\n|\r")
_NO_DELIMITERS = {Defect.NO_BOUNDARY, Defect.NO_DELIMITER}
_LONGEST_DECODED = 998


class AddHeader(Model):
    """A new field above all others; below the mbox `From ` line where there is one."""

    op: Literal["add-header"] = "add-header"
    name: FieldName
    value: str


class SetHeader(Model):
    """The only field of that name: in the place of the first one, else on top. All others are removed."""

    op: Literal["set-header"] = "set-header"
    name: FieldName
    value: str


class RemoveHeader(Model):
    """No field whose name matches the glob (`*` and `?`), in any case of letters."""

    op: Literal["remove-header"] = "remove-header"
    name: FieldName


class DropPart(Model):
    """A text with the note in place of a part and all that is in it.

    The body of a message, the outermost or one within, is replaced below its header, which keeps all fields
    but those that described the body. A part of a message that is encoded as a whole has no bytes of its own
    here: the part that holds that message is dropped instead.
    """

    op: Literal["drop-part"] = "drop-part"
    path: str
    note: str


Edit = Annotated[AddHeader | SetHeader | RemoveHeader | DropPart, Field(discriminator="op")]


def edited(
    raw: Raw,
    edits: Sequence[AddHeader | SetHeader | RemoveHeader | DropPart],
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> Sequence[Raw]:
    """Give the edited message as slices of `raw` and new bytes between them, to be written one after another.

    New lines end as the header's own do. Values are encoded and folded (RFC 2047, RFC 5322 §2.2.3), and
    nothing in them can end a line. LookupError where a path names no part; `limits` must be those that the
    path was found with.
    """
    if not edits:
        return (raw,)
    data = plain(raw)
    view = memoryview(data)
    # Fields past the limit must not escape from being removed.
    unbounded = Limits(headers=sys.maxsize, header=_LONGEST_DECODED)
    message = parse(data, limits=unbounded)
    start = message.headers[0].start if len(message.headers) else 0
    top = _Section(view, start, message.headers, message.body_start)
    dropped: list[tuple[Node, str]] = []
    nodes: dict[str, Node] = {}
    for edit in edits:
        match edit:
            case AddHeader():
                top.add(edit.name, edit.value)
            case SetHeader():
                top.set(edit.name, edit.value)
            case RemoveHeader():
                top.remove(edit.name)
            case DropPart():
                nodes = nodes or {part.path: part.node for part in parse(data, limits=limits).parts}
                node = _editable(nodes[edit.path])
                dropped.append((node, edit.note))
                if node.parent is None:
                    top.replace_body(edit.note)
    return tuple(piece for piece in _spliced(view, top, dropped) if len(piece))


def in_original(edit: Edit, before: Sequence[Edit]) -> Edit:
    """Give an edit whose path was found in the message as the edits `before` left it, with its path in the original.

    Only uuencoded files change their names: they are numbered within their text, and one that is dropped leaves no
    number behind.
    """
    if not isinstance(edit, DropPart) or "/" not in edit.path:
        return edit
    text, number = edit.path.split("/")
    at = int(number)
    dropped = {drop.path for drop in before if isinstance(drop, DropPart)}
    for gone in sorted(int(path.rpartition("/")[2]) for path in dropped if path.startswith(f"{text}/")):
        at += gone <= at
    return edit.model_copy(update={"path": f"{text}/{at}"})


def _editable(node: Node) -> Node:
    """Give the part to replace for this one: what has bytes in the message, and stands between delimiters."""
    while node.within is not None:
        node = node.within
    if node.parent is not None and node.parent.is_multipart and not _NO_DELIMITERS.isdisjoint(node.parent.defects):
        return _editable(node.parent)
    return node


def _spliced(view: memoryview, top: "_Section", dropped: Sequence[tuple[Node, str]]) -> Iterator[Raw]:
    yield view[: top.start]
    yield from top.pieces()
    if top.body is not None:
        yield top.body + top.eol
        return
    position = top.body_start
    for node, note in sorted(dropped, key=lambda item: (item[0].start, -item[0].end)):
        if node.start < position:
            # Within a part that is dropped as well.
            continue
        yield view[position : node.start]
        yield from _replacement(view, node, note, top.eol)
        position = node.end
    yield view[position:]


def _replacement(view: memoryview, node: Node, note: str, eol: bytes) -> Iterator[Raw]:
    if node.block is not None:
        yield note_line(note, eol)
        return
    if node.parent is not None and node.parent.is_message:
        section = _Section(view, node.start, node.headers, node.body_start)
        section.replace_body(note)
        yield from section.pieces()
        yield section.body or b""
        return
    fields, body = note_body(note, eol)
    yield from (encode_header(name, value, eol) for name, value in fields)
    yield eol + body


class _Section:
    """The header of one message as a list of fields and of the junk between them."""

    def __init__(self, view: memoryview, start: int, headers: Headers, body_start: int) -> None:
        self.start = start
        self.body_start = body_start
        self.body: bytes | None = None
        line_end = _LINE_END.search(view, start)
        self.eol = line_end[0] if line_end else b"\r\n"
        self._fields: list[tuple[str, Raw]] = []
        position = start
        for header in headers:
            if header.start > position:
                self._fields.append(("", view[position : header.start]))
            self._fields.append((header.name.lower(), view[header.start : header.end]))
            position = header.end
        self._between: Raw = view[position:body_start]
        if not self._fields and not self._between:
            # The message begins with its body, and the blank line that must stand between is missing.
            self._between = self.eol

    def add(self, name: str, value: str) -> None:
        self._fields.insert(0, (name.lower(), encode_header(name, value, self.eol)))

    def set(self, name: str, value: str) -> None:
        key = name.lower()
        first = next((number for number, field in enumerate(self._fields) if field[0] == key), None)
        if first is None:
            self.add(name, value)
            return
        rest = [field for field in self._fields[first + 1 :] if field[0] != key]
        self._fields[first:] = [(key, encode_header(name, value, self.eol)), *rest]

    def remove(self, name: str) -> None:
        matches = _glob(name)
        self._fields = [field for field in self._fields if not (field[0] and matches.fullmatch(field[0]))]

    def replace_body(self, note: str) -> None:
        fields, body = note_body(note, self.eol)
        for name in ("Content-Transfer-Encoding", "Content-Disposition"):
            self.remove(name)
        for name, value in reversed(fields):
            self.set(name, value)
        if not any(name == "mime-version" for name, _ in self._fields):
            self.add("MIME-Version", "1.0")
        if not self._between:
            ended = bytes(self._fields[-1][1][-1:]) in (b"\n", b"\r")
            self._between = self.eol if ended else self.eol * 2
        self.body = body

    def pieces(self) -> Iterator[Raw]:
        yield from (content for _, content in self._fields)
        yield self._between


def _glob(pattern: str) -> re.Pattern[str]:
    """Compile a glob; what stands between two stars is looked for once, from left to right."""
    first, *others = (re.escape(text).replace(r"\?", ".") for text in pattern.lower().split("*"))
    if not others:
        return re.compile(first, re.DOTALL)
    *middle, last = others
    return re.compile(first + "".join(f"(?>.*?{text})" for text in middle) + f".*{last}", re.DOTALL)
