"""One part of a message as other programs use it: a frozen model, decoded when it is first asked."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import ConfigDict, Field, SkipValidation, model_serializer

from postroom.message import charset, parameters, transfer
from postroom.message.buffer import piece
from postroom.message.defects import Defect, ordered
from postroom.message.flowed import unflow
from postroom.message.headers import Headers
from postroom.message.lazy import lazy
from postroom.message.node import Node
from postroom.message.words import decode_words
from postroom.model import Model

CHUNK = 64 * 1024
_SNIFFED = 4096
_IN_JSON = (
    "path", "parent", "start", "body_start", "end", "content_type", "charset", "disposition", "filename",
    "content_id", "size", "is_attachment", "defects",
)  # fmt: skip


class Part(Model):
    """One part, found by offsets.

    `path` is what IMAP fetches it by (`BODY[path]`, RFC 9051 §6.4.5.1): `1`, `2.1`; `TEXT` and `2.TEXT` are
    the multiparts that are the whole body of a message. An uuencoded file within part `1` is `1/1`. `parent`
    is an index into `Message.parts`, None for the first. `start` (its header), `body_start` and `end` count
    bytes of the message where `within` is None, else of the decoded content of the part with that index.
    `end` is before the line break that belongs to the next delimiter.

    `model_dump(mode="json")` gives `path parent start body_start end content_type charset disposition
    filename content_id size is_attachment defects`.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, ignored_types=(lazy,))

    node: Annotated[Node, SkipValidation] = Field(repr=False)
    path: str
    parent: int | None
    within: int | None
    start: int
    body_start: int
    end: int
    content_type: str
    """`type/subtype` in lower case, by the label; `detected_type` is by content."""

    @model_serializer
    def _as_json(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in _IN_JSON}

    @property
    def headers(self) -> Headers:
        """The fields of this part."""
        return self.node.headers

    @lazy
    def charset(self) -> str | None:
        """The label of a text in lower case; None where there is none. What it says may be wrong."""
        return self._parameter("charset").strip().lower() or None

    @lazy
    def disposition(self) -> str | None:
        """`inline`, `attachment` or another word in lower case (RFC 2183); None where there is none."""
        if self.node.block is not None:
            return "attachment"
        return self._disposition[0] or None if self.node.disposition else None

    @lazy
    def filename(self) -> str | None:
        """The name that its sender gave, decoded and hostile: see `safe_name`."""
        if self.node.block is not None:
            return decode_words(self.node.block.name) or None
        named = self._disposition[1].get("filename") if self.node.disposition else None
        return named or self.node.parameters.get("name") or None

    @lazy
    def content_id(self) -> str | None:
        """Content-ID without its angle brackets (RFC 2392)."""
        return (self.headers.get("content-id") or "").strip().strip("<>") or None

    @property
    def is_multipart(self) -> bool:
        """Whether it does nothing but hold other parts."""
        return self.node.is_multipart

    @lazy
    def is_body(self) -> bool:
        """Whether mail programs show it as text of its message (as `textBody` and `htmlBody`, RFC 8621
        §4.1.4).
        """
        node, kind = self.node, self.content_type
        if not kind.startswith("text/"):
            return False
        if node.disposition and self.disposition == "attachment":
            return False
        if node.is_first or node.parent is None:
            return True
        in_related = node.parent.content_type == "multipart/related"
        return kind in ("text/plain", "text/html") and not in_related and not self.filename

    @lazy
    def is_attachment(self) -> bool:
        """Whether it is offered for saving: no multipart, no text of the body, no nameless picture of an HTML
        page.
        """
        if self.node.is_multipart or self.is_body:
            return False
        if self.disposition == "attachment" or self.filename is not None:
            return True
        in_related = self.node.parent is not None and self.node.parent.content_type == "multipart/related"
        return not (in_related and self.content_id is not None)

    @property
    def encoded_size(self) -> int:
        """Bytes of the body as it stands in the message."""
        return self.end - self.body_start

    @lazy
    def size(self) -> int:
        """Bytes of the decoded content; what is encoded is decoded in passing and not kept."""
        if not transfer.decodes(self.node.encoding):
            return self.end - self.body_start
        if "_decoded" in self.__dict__:
            return len(self.content)
        return sum(map(len, self._stream(None)))

    @property
    def content(self) -> bytes:
        """The decoded content as a whole; kept for the next time where there was something to decode."""
        node = self.node
        if transfer.decodes(node.encoding):
            return self._decoded[0]
        return piece(node.data, node.body_start, node.end)

    def iter_content(self, chunk: int = CHUNK) -> Iterator[bytes]:
        """Give the decoded content in pieces of `chunk` bytes, the last one shorter; never the whole in
        memory.
        """
        rest = b""
        for content in self._stream(None):
            content = rest + content if rest else content
            whole = len(content) - len(content) % chunk
            for start in range(0, whole, chunk):
                yield content[start : start + chunk]
            rest = content[whole:]
        if rest:
            yield rest

    @property
    def text(self) -> str:
        """The content of a text, with `\\n` line ends, flowed lines joined (RFC 3676); empty for what is no
        text.

        Uuencoded files within it are left out: they are parts of their own.
        """
        return self._read[0]

    @lazy
    def detected_type(self) -> str:
        """The media type that the content itself shows."""
        from postroom.message.magic import content_type

        return content_type(next(self.iter_content(_SNIFFED), b""), self.filename or "")

    @lazy
    def defects(self) -> tuple[Defect, ...]:
        """All that is odd about this part, in the order of the enumeration; its content is decoded to know."""
        found = self.node.defects | self.node.headers.word_defects()
        if self.node.disposition:
            parameters.parse(self.node.disposition, found)
        if not self.node.is_multipart:
            found |= self._content_defects()
        return ordered(found)

    def _content_defects(self) -> set[Defect]:
        is_text = self.content_type.startswith("text/")
        found = set(self._read[1]) if is_text else set()
        if not transfer.decodes(self.node.encoding):
            return found
        if is_text or "_decoded" in self.__dict__:
            return found | self._decoded[1]
        for _ in self._stream(found):
            pass
        return found

    def _parameter(self, name: str) -> str:
        return self.node.parameters.get(name, "")

    @lazy
    def _disposition(self) -> parameters.Parameters:
        return parameters.parse(self.node.disposition)

    def _stream(self, found: set[Defect] | None) -> Iterator[bytes]:
        if "_decoded" in self.__dict__:
            return iter((self.content,))
        node = self.node
        return transfer.stream(node.data, node.body_start, node.end, node.encoding, found)

    @lazy
    def _decoded(self) -> tuple[bytes, set[Defect]]:
        node, found = self.node, set[Defect]()
        return transfer.decode(node.data, node.body_start, node.end, node.encoding, found), found

    @lazy
    def _read(self) -> tuple[str, set[Defect]]:
        node, found = self.node, set[Defect]()
        if not node.content_type.startswith("text/"):
            return "", found
        content = self._without_files() if node.files else self.content
        labels = node.parameters
        text = charset.decode(content, labels.get("charset", ""), found)
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if "format" in labels and labels["format"].lower() == "flowed":
            text = unflow(text, labels.get("delsp", "").lower() == "yes")
        return text, found

    def _without_files(self) -> bytes:
        position = self.node.body_start
        pieces = []
        for block in self.node.files:
            pieces.append(self.node.data[position : block.start])
            position = block.end
        return b"".join((*pieces, self.node.data[position : self.node.end]))
