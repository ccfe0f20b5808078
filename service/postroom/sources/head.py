"""What a source tells of a message beside its bytes, read from the start of its header."""

import re

from postroom.sources.stdin import return_path

HEAD = 1 << 15  # octets; further down no delivery writes anything
_HINT = re.compile(rb"^return-path[ \t]*:", re.IGNORECASE | re.MULTILINE)


def sender_of(start: bytes) -> str | None:
    """The reverse-path that the last delivery wrote on top (RFC 5321 4.4); None: there is none.

    `start`: the message, or its first HEAD octets.
    """
    start = start[:HEAD]
    return return_path(start) if _HINT.search(start) else None
