"""The line that a changed message bears which we put into a mailbox, so that it is not new mail.

`X-Postroom-Id: NAME.HMAC` is the first line. The HMAC covers mailbox, name and a hash of all other octets: a line
that is copied onto another message proves nothing.
"""

import hashlib
import re
from dataclasses import dataclass

from postroom.sources import Desk

FIELD = "X-Postroom-Id"
_LINE = re.compile(rb"X-Postroom-Id: ([A-Za-z0-9_-]{1,100})\.([0-9a-f]{64})\r?\n", re.IGNORECASE)
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Marker:
    """What a first line claims, and the hash of what follows it."""

    name: str
    signature: bytes
    rest: str  # SHA-256

    def is_ours(self, desk: Desk) -> bool:
        return desk.verify(_text(desk.mailbox, self.name, self.rest), self.signature)


def line(desk: Desk, name: str, rest: str) -> bytes:
    """The first line of a message of ours, whose other octets have this SHA-256."""
    return f"{FIELD}: {name}.{desk.sign(_text(desk.mailbox, name, rest)).hex()}\r\n".encode()


def _text(mailbox: str, name: str, rest: str) -> bytes:
    return "\0".join((mailbox, name, rest)).encode()


class Witness:
    """Sees a message pass by: its hash, its lines, and its marker."""

    def __init__(self) -> None:
        self._whole = hashlib.sha256()
        self._rest = hashlib.sha256()
        self._found: re.Match[bytes] | None = None
        self._seen = 0
        self.lines = 0

    def see(self, piece: bytes) -> None:
        if not self._seen:
            self._found = _LINE.match(piece, 0, _LONGEST)
        self._whole.update(piece)
        if self._found is not None:
            self._rest.update(piece if self._seen else piece[self._found.end() :])
        self._seen += len(piece)
        self.lines += piece.count(b"\n")

    @property
    def sha256(self) -> str:
        return self._whole.hexdigest()

    @property
    def marker(self) -> Marker | None:
        if self._found is None:
            return None
        return Marker(self._found[1].decode(), bytes.fromhex(self._found[2].decode()), self._rest.hexdigest())
