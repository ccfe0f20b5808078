"""A message inside one of ours: attached as it is, or readable in ours with its attachments."""

import re
from base64 import encodebytes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from postroom.message import Message, Part
from postroom.message.folding import encode_header

Chunk = bytes | memoryview
SHOWN = ("From", "To", "Cc", "Date", "Subject")
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """Who writes to whom, and when. `key`: the effect's, so that a second try has the same Message-ID."""

    sender: str
    recipient: str
    host: str
    key: str
    at: datetime
    fields: Sequence[tuple[str, str]] = ()  # further ones on top


def message_id(key: str, host: str) -> str:
    return f"<{key.lower()}@{host}>"


def attached(message: Message, cover: Cover) -> Sequence[Chunk]:
    """As message/rfc822, all octets as they came."""
    note = f"The attached message was forwarded by {cover.host}.\r\n"
    original = memoryview(message.raw)[message.header_start :]
    eight_bit = not bytes(original).isascii()
    head = _fields(
        ("Content-Type", "message/rfc822"),
        ("Content-Disposition", "attachment"),
        ("Content-Transfer-Encoding", "8bit" if eight_bit else "7bit"),
    )
    return _multipart(message, cover, [[_text(note)], [head + b"\r\n", original]], eight_bit=eight_bit)


def inline(message: Message, cover: Cover) -> Sequence[Chunk]:
    """Its text below the lines that a reader wants to see, and its attachments."""
    lines = [f"{name}: {value}" for name in SHOWN if (value := message.headers.get(name))]
    body = "\n".join(["---------- Forwarded message ----------", *lines, "", message.body])
    parts: list[list[Chunk]] = [[_text(body)]]
    parts += [[*_attachment(message, part)] for part in message.attachments]
    eight_bit = any(not bytes(chunk).isascii() for part in parts for chunk in part)
    return _multipart(message, cover, parts, eight_bit=eight_bit)


def _multipart(message: Message, cover: Cover, parts: Sequence[Sequence[Chunk]], *, eight_bit: bool) -> Sequence[Chunk]:
    boundary = _boundary(cover.key, parts)
    head = _fields(
        *cover.fields,
        ("From", cover.sender),
        ("To", cover.recipient),
        ("Subject", f"Fwd: {message.subject or ''}".strip()),
        ("Date", format_datetime(cover.at)),
        ("Message-ID", message_id(cover.key, cover.host)),
        ("Auto-Submitted", "auto-generated"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/mixed; boundary="{boundary}"'),
        ("Content-Transfer-Encoding", "8bit" if eight_bit else "7bit"),
    )
    chunks: list[Chunk] = [head + b"\r\n"]
    for part in parts:
        chunks += [f"--{boundary}\r\n".encode(), *part, b"\r\n"]
    return [*chunks, f"--{boundary}--\r\n".encode()]


def _boundary(key: str, parts: Sequence[Sequence[Chunk]]) -> str:
    """One that stands in none of the parts, whatever a sender guessed."""
    number = 0
    while True:
        boundary = f"=_{key}_{number}"
        pattern = re.compile(re.escape(boundary.encode()))
        if not any(pattern.search(chunk) for part in parts for chunk in part):
            return boundary
        number += 1


def _text(text: str) -> bytes:
    head = _fields(("Content-Type", "text/plain; charset=utf-8"), ("Content-Transfer-Encoding", "base64"))
    octets = _LINE_END.sub("\r\n", text).encode("utf-8", "replace")
    return head + b"\r\n" + encodebytes(octets).replace(b"\n", b"\r\n")


def _attachment(message: Message, part: Part) -> Iterator[Chunk]:
    """The part as it stands in the message; encoded anew where it has no octets of its own there."""
    if part.parent is not None and part.node.within is None:
        yield memoryview(message.raw)[part.start : part.end]
        return
    name = part.filename or "attachment"
    yield _fields(
        ("Content-Type", part.detected_type),
        ("Content-Disposition", f'attachment; filename="{re.sub(r"[^A-Za-z0-9._ -]", "_", name)}"'),
        ("Content-Transfer-Encoding", "base64"),
    )
    yield b"\r\n"
    yield encodebytes(part.content).replace(b"\n", b"\r\n")


def _fields(*fields: tuple[str, str]) -> bytes:
    return b"".join(encode_header(name, value, b"\r\n") for name, value in fields)
