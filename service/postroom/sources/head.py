"""What a source tells of a message beside its bytes, read from the start of its header."""

from collections.abc import Iterable

from postroom.message import parse
from postroom.sources.stdin import return_path

HEAD = 1 << 15


def envelope_of(start: bytes) -> tuple[str | None, str | None]:
    """The reverse-path that the last delivery wrote on top (RFC 5321 4.4), and the Message-ID; None: there is none.

    `start`: the message or its first HEAD octets.
    """
    start = start[:HEAD]
    return return_path(start), parse(start).message_id


def start_of(chunks: Iterable[bytes]) -> bytes:
    """As much of a message as `envelope_of` looks at."""
    start = b""
    for chunk in chunks:
        start += chunk
        if len(start) >= HEAD:
            break
    return start
