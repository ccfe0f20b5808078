"""A message as other programs use it: a frozen model over the raw bytes, decoded when it is first asked."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, SkipValidation, model_serializer

from postroom.message import traits
from postroom.message.address import Address, parse_addresses
from postroom.message.buffer import Raw, plain
from postroom.message.build import build
from postroom.message.dates import parse_date
from postroom.message.defects import Defect, ordered
from postroom.message.headers import Headers
from postroom.message.html import html_to_text
from postroom.message.index import Index
from postroom.message.lazy import lazy
from postroom.message.limits import DEFAULT_LIMITS, Limits
from postroom.message.node import Node
from postroom.message.part import Part
from postroom.message.section import read_header
from postroom.message.words import decode_words
from postroom.model import Model

# Fields that may stand once only (RFC 5322 §3.6).
_ONCE = (
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "subject",
)
_MESSAGE_ID = re.compile(r"<[^<>]++>|[^<>\s,]++")
_IN_BRACKETS = re.compile(r"<([^<>]*+)>")
_IN_JSON = (
    "size", "subject", "from_", "sender", "reply_to", "to", "cc", "bcc", "date", "message_id", "in_reply_to",
    "references", "list_id", "headers", "parts", "is_bulk", "is_auto_submitted", "is_bounce", "is_encrypted",
    "is_signed", "defects", "truncated",
)  # fmt: skip


class Message(Model):
    """A message over its raw bytes. Made by `parse`; nothing in it raises, whatever the bytes are.

    `raw` is what was parsed, never a copy; offsets in `headers` and `parts` count its bytes. Addresses of
    repeated fields are listed together; of other repeated fields the first counts.

    `model_dump(mode="json")` gives header metadata and structure, never the content of a part: `size subject
    from sender reply_to to cc bcc date message_id in_reply_to references list_id headers parts is_bulk
    is_auto_submitted is_bounce is_encrypted is_signed defects truncated`. Addresses, parts and header fields
    (`name`, `value`, `start`, `end`) are objects, `date` is ISO 8601 with its own offset.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, ignored_types=(lazy,))

    raw: Annotated[Raw, SkipValidation] = Field(repr=False)
    limits: Limits = Field(repr=False)
    headers: Annotated[Headers, SkipValidation] = Field(repr=False)
    """The fields of the message in their order."""
    size: int
    """Bytes of the message."""

    @model_serializer
    def _as_json(self) -> dict[str, object]:
        values = {name.rstrip("_"): getattr(self, name) for name in _IN_JSON}
        return values | {"headers": tuple(self.headers)}

    @property
    def header_start(self) -> int:
        """Where the first field begins: after leading blank lines and an mbox `From ` line."""
        return self.headers.start

    @property
    def body_start(self) -> int:
        """Where the body begins: after the blank line."""
        return self.headers.body_start

    @lazy
    def subject(self) -> str | None:
        """Decoded; None where there is no such field."""
        return self.headers.get("subject")

    @lazy
    def from_(self) -> tuple[Address, ...]:
        """Who wrote it."""
        return self._addresses("from")

    @lazy
    def sender(self) -> Address | None:
        """The Sender field, which says who sent it where that is another than who wrote it."""
        return next(iter(self._addresses("sender")), None)

    @lazy
    def reply_to(self) -> tuple[Address, ...]:
        """Where answers go."""
        return self._addresses("reply-to")

    @lazy
    def to(self) -> tuple[Address, ...]:
        """The To fields."""
        return self._addresses("to")

    @lazy
    def cc(self) -> tuple[Address, ...]:
        """The Cc fields."""
        return self._addresses("cc")

    @lazy
    def bcc(self) -> tuple[Address, ...]:
        """The Bcc fields."""
        return self._addresses("bcc")

    @lazy
    def date(self) -> datetime | None:
        """When its sender says that it was written; aware. None where no date can be read."""
        octets = self.headers.octets("date")
        return parse_date(octets) if octets else None

    @lazy
    def message_id(self) -> str | None:
        """With its angle brackets, where it has them."""
        return next(iter(self._ids("message-id")), None)

    @lazy
    def in_reply_to(self) -> tuple[str, ...]:
        """The message ids of In-Reply-To."""
        return self._ids("in-reply-to")

    @lazy
    def references(self) -> tuple[str, ...]:
        """The message ids of References, the oldest first."""
        return self._ids("references")

    @lazy
    def list_id(self) -> str | None:
        """The identifier between the angle brackets of List-Id (RFC 2919), else its whole value."""
        value = self.headers.get("list-id")
        if value is None:
            return None
        match = _IN_BRACKETS.search(value)
        return (match[1] if match else value).strip()

    @lazy
    def parts(self) -> tuple[Part, ...]:
        """All parts in the order of their first bytes; the first is the body of the message itself."""
        return tuple(map(_part, self._index.nodes))

    @lazy
    def attachments(self) -> tuple[Part, ...]:
        """What mail programs offer for saving. An attached message is one; what is within it is not listed."""
        return tuple(part for part in self._own_parts if part.is_attachment)

    @lazy
    def text(self) -> str | None:
        """The plain texts of the body that are no attachments, one below the other; None where there is none."""
        return _joined([part.text for part in self._own_parts if part.content_type != "text/html" and part.is_body])

    @lazy
    def html(self) -> str | None:
        """The HTML texts of the body, one below the other; None where there is none."""
        return _joined([part.text for part in self._own_parts if part.content_type == "text/html" and part.is_body])

    @lazy
    def body(self) -> str:
        """The text, else (where that is blank, too) the HTML as text; empty where there is neither."""
        text, html = self.text, self.html
        if html is None or (text is not None and not text.isspace() and text):
            return text or ""
        return html_to_text(html)

    @lazy
    def is_bulk(self) -> bool:
        """Sent to many (`traits.is_bulk`)."""
        return traits.is_bulk(self.headers)

    @lazy
    def is_auto_submitted(self) -> bool:
        """Sent by a program (RFC 3834 §5)."""
        return traits.is_auto_submitted(self.headers)

    @lazy
    def is_bounce(self) -> bool:
        """A delivery status notification, or from the null sender (`traits.is_bounce`)."""
        return traits.is_bounce(self.headers, self.parts)

    @lazy
    def is_encrypted(self) -> bool:
        """PGP or S/MIME (`traits.is_encrypted`)."""
        return traits.is_encrypted(self.parts, self.text)

    @lazy
    def is_signed(self) -> bool:
        """PGP or S/MIME, unverified (`traits.is_signed`)."""
        return traits.is_signed(self.parts, self.text)

    @lazy
    def defects(self) -> tuple[Defect, ...]:
        """All that is odd, in the order of the enumeration. Every part is decoded to know, so this is dear."""
        return ordered(set(self.layout_defects).union(self.headers.word_defects(), *(p.defects for p in self.parts)))

    @lazy
    def layout_defects(self) -> tuple[Defect, ...]:
        """What of `defects` can be told from headers and structure alone, without decoding any content."""
        nodes = (node.defects for node in self._index.nodes)
        return ordered(self._header_defects().union(self._index.defects, *nodes))

    @property
    def known_defects(self) -> tuple[Defect, ...]:
        """What of `layout_defects` costs nothing more: of the header, and of the structure once that was asked for."""
        return self.layout_defects if "_index" in self.__dict__ else ordered(self._header_defects())

    @lazy
    def truncated(self) -> bool:
        """A limit was met: not all was indexed or decoded. `raw` is whole."""
        return self._index.truncated

    @lazy
    def _index(self) -> Index:
        return Index(self.raw, self.headers, self.limits)

    @lazy
    def _own_parts(self) -> tuple[Part, ...]:
        """The parts outside attached messages."""
        if not self._index.holds_messages:
            return self.parts
        own: list[Part] = []
        foreign: set[int] = set()
        for number, part in enumerate(self.parts):
            if part.parent in foreign:
                foreign.add(number)
                continue
            own.append(part)
            if part.node.is_message:
                foreign.add(number)
        return tuple(own)

    def _header_defects(self) -> set[Defect]:
        found = set(self.headers.found)
        if any(self.headers.occurrences(name) > 1 for name in _ONCE):
            found.add(Defect.REPEATED_HEADER)
        if self.headers.occurrences("date") and self.date is None:
            found.add(Defect.BAD_DATE)
        return found

    def _addresses(self, name: str) -> tuple[Address, ...]:
        values = self.headers.unfolded_all(name)
        return tuple(address for value in values for address in parse_addresses(value, decode_words))

    def _ids(self, name: str) -> tuple[str, ...]:
        return tuple(_MESSAGE_ID.findall(self.headers.get(name) or ""))


_MESSAGE_FIELDS = set(Message.model_fields)
_PART_FIELDS = set(Part.model_fields)


def parse(raw: Raw, *, limits: Limits = DEFAULT_LIMITS) -> Message:
    """Read a message. Total: no input raises. `raw` is kept, not copied, and must not change meanwhile."""
    data = plain(raw)
    headers = read_header(data, 0, len(data), limits)
    return build(Message, {"raw": data, "limits": limits, "headers": headers, "size": len(data)}, _MESSAGE_FIELDS)


def _part(node: Node) -> Part:
    return build(
        Part,
        {
            "node": node,
            "path": node.path,
            "parent": None if node.parent is None else node.parent.number,
            "within": None if node.within is None else node.within.number,
            "start": node.start,
            "body_start": node.body_start,
            "end": node.end,
            "content_type": node.content_type,
        },
        _PART_FIELDS,
    )


def _joined(texts: Sequence[str]) -> str | None:
    return "\n".join(texts) if texts else None
