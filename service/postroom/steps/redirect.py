"""A message as it goes on to somebody else: every octet as it came, with lines of ours above it (RFC 5228 4.2)."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from email.utils import format_datetime

from postroom.message import Message, parse
from postroom.message.folding import encode_header


def redirected(message: Message, prefix: bytes, fields: Sequence[tuple[str, str]]) -> Sequence[bytes | memoryview]:
    """`fields` on top, then `prefix`, which our listener wrote, then the message. Return-Path is the next server's to
    write (RFC 5321 4.4), and an mbox `From ` line is no part of a message."""
    top = b"".join(encode_header(name, value, b"\r\n") for name, value in fields)
    written = _without_path(parse(prefix)) if prefix else ()
    return [top, *written, *_without_path(message)]


def received(host: str, key: str, at: datetime) -> tuple[str, str]:
    """Our Received field: their number must grow, or no loop would ever be seen."""
    return "Received", f"by {host} (Postroom) id {key}; {format_datetime(at)}"


def resent(sender: str, recipient: str, key: str, host: str, at: datetime) -> list[tuple[str, str]]:
    """The block that says who sent it on (RFC 5322 3.6.6)."""
    return [
        ("Resent-Date", format_datetime(at)),
        ("Resent-From", sender),
        ("Resent-To", recipient),
        ("Resent-Message-ID", f"<{key.lower()}@{host}>"),
    ]


def return_path(message: Message) -> str | None:
    """The sender that the last server wrote down; None where there is none."""
    value = message.headers.get("Return-Path")
    return None if value is None else value.strip().removeprefix("<").removesuffix(">")


def _without_path(message: Message) -> Iterator[bytes | memoryview]:
    """The message from its first field on, without any Return-Path."""
    view = memoryview(message.raw)
    at = message.header_start
    for field in message.headers.fields("Return-Path"):
        yield view[at : field.start]
        at = field.end
    if not len(message.headers) and bytes(view[at : at + 1]) not in (b"\r", b"\n"):
        yield b"\r\n"  # it begins with its body
    yield view[at:]
