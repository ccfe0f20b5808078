"""A part while it is being found: offsets, header, and what its header says of its content."""

import re
from collections.abc import Mapping, Sequence

from postroom.message import parameters, transfer
from postroom.message.buffer import Raw
from postroom.message.defects import Defect
from postroom.message.headers import Headers
from postroom.message.uu import Block

_TYPE = re.compile(r"([^\s/;,]+/[^\s/;,]+)")
_COMMON = frozenset(("7bit", "8bit", "base64", "quoted-printable"))
_NONE: Mapping[str, str] = {}
_NESTED = frozenset(("message/rfc822", "message/global", "message/news"))


class Node:
    """One part; `start` (its header), `body_start` and `end` are offsets into `data`.

    `data` is the message, or the decoded content of `within`. `base` is what the paths of children begin
    with.
    """

    __slots__ = (
        "base", "block", "body_start", "boundary", "children", "content_type", "data", "defects", "depth",
        "disposition", "embedded", "encoding", "end", "files", "headers", "is_first", "is_message", "is_multipart",
        "number", "parameters", "parent", "path", "start", "within",
    )  # fmt: skip

    def __init__(self, data: Raw, headers: Headers, parent: "Node | None", within: "Node | None") -> None:
        self.data = data
        self.headers = headers
        self.parent = parent
        self.within = within
        self.start = headers.start
        self.body_start = self.end = headers.body_start
        self.depth: int = 1 if parent is None else parent.depth + 1
        self.number = 0
        self.is_first = True
        """Whether no other part of the same multipart stands before it."""
        self.path = self.base = ""
        self.children = 0
        self.content_type = "text/plain"
        self.is_multipart = self.is_message = False
        self.parameters: Mapping[str, str] = _NONE
        self.boundary = b""
        self.disposition = ""
        """Content-Disposition, unfolded octets."""
        self.encoding = ""
        self.embedded: Sequence[Node] = ()
        """The parts of the message that is the decoded content of this part."""
        self.files: Sequence[Block] = ()
        """The uuencoded files in this text."""
        self.block: Block | None = None
        """Where this part itself is such a file, and has no header of its own."""
        self.defects = headers.found

    def describe(self, default: str) -> None:
        """Read type and encoding from the header; `default` is the type where there is none (RFC 2046
        §5.1.5).
        """
        headers = self.headers
        if octets := headers.octets("content-type"):
            value, self.parameters, undecoded = parameters.parse(octets, self.defects)
            if match := _TYPE.match(value):
                self.content_type = match[1]
            else:
                self.defects.add(Defect.BAD_CONTENT_TYPE)
            if "boundary" in self.parameters:
                written = undecoded.get("boundary", "").encode("latin-1")
                self.boundary = (written or self.parameters["boundary"].encode("utf-8", "replace")).rstrip()
            if headers.occurrences("content-type") > 1:
                self.defects.add(Defect.REPEATED_HEADER)
        else:
            self.content_type = default
        self.is_multipart = self.content_type.startswith("multipart/")
        self.is_message = self.content_type in _NESTED
        self.disposition = headers.octets("content-disposition")
        if encoding := headers.octets("content-transfer-encoding"):
            if encoding in _COMMON and not self.is_multipart:
                self.encoding = encoding
            else:
                self._set_encoding(encoding.partition(";")[0].strip(" \t\"'").lower())

    def _set_encoding(self, encoding: str) -> None:
        if not transfer.known(encoding):
            self.defects.add(Defect.UNKNOWN_ENCODING)
        elif self.is_multipart:
            if transfer.decodes(encoding):
                self.defects.add(Defect.ENCODED_MULTIPART)
        else:
            self.encoding = encoding

    def place(self, *, message_root: bool) -> None:
        """Number the part among its parent's children as IMAP does (RFC 9051 §6.4.5.1)."""
        parent = self.parent
        if parent is None:
            self.base = "" if self.is_multipart else "1"
            self.path = self.base or "TEXT"
            return
        parent.children += 1
        self.is_first = message_root or parent.children == 1
        if message_root and self.is_multipart:
            self.base = parent.path
            self.path = f"{parent.path}.TEXT"
        else:
            number = 1 if message_root else parent.children
            self.path = self.base = f"{parent.base}.{number}" if parent.base else f"{number}"
