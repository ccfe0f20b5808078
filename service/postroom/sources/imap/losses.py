"""How talking to an IMAP server ends early."""

import re

from postroom.errors import Permanent, Temporary
from postroom.sources import Loss

_TEXT_LIMIT = 200
_ADDRESS = re.compile(r"\S+@\S+")


class Lost(Temporary):
    """The connection is gone, or was given up; `reason` is a label of metrics."""

    def __init__(self, reason: Loss, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class LoginRefused(Permanent):
    """The server does not let us in. Only an operator can mend it, and may do so at the server: it is tried again,
    far more slowly than a broken network."""


class Rejected(Temporary):
    """The server answered NO or BAD to a command; `code` is its response code, upper case, or empty."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code


def readable(text: bytes) -> str:
    """What a server said, fit for a log: short, printable, without addresses."""
    said = "".join(char if char.isprintable() else " " for char in text[:4096].decode("utf-8", "replace"))
    return _ADDRESS.sub("…", said).strip()[:_TEXT_LIMIT]
