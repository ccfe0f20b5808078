"""A message as its signatures see it: fields from below, and bodies hashed once for all."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from postroom.authentication import canonical
from postroom.authentication.bounds import Bounded
from postroom.authentication.canonical import Form
from postroom.authentication.keys import Refused
from postroom.message import Header, Message

LARGEST: Final = 1 << 20  # octets of all fields that one signature covers


class Signed:
    """Made for one message and one round of questions. `above`: fields that are put on top of it."""

    def __init__(self, message: Message, resolver: Bounded, above: Iterable[Header] = ()) -> None:
        self.headers: tuple[Header, ...] = (*above, *message.headers)
        self._resolver = resolver
        self._message = message
        self._digests: dict[tuple[Form, int | None], tuple[bytes, int]] = {}

    def named(self, name: str) -> list[Header]:
        """All fields of that name, the topmost first; `name` is lower case."""
        return [header for header in self.headers if header.name.lower() == name]

    def digest(self, form: Form, length: int | None) -> tuple[bytes, int]:
        """SHA-256 of the first `length` octets of the body in this form, and how many octets it has. Raises Temporary
        where the time is over."""
        if (form, length) not in self._digests:
            hasher, size = hashlib.sha256(), 0
            for piece in canonical.body(self._message.raw, self._message.body_start, form):
                self._resolver.check()
                hasher.update(piece if length is None else piece[: max(0, length - size)])
                size += len(piece)
            self._digests[form, length] = hasher.digest(), size
        return self._digests[form, length]

    def covered(self, names: Iterable[str], form: Form) -> bytes:
        """The fields that `h=` names: each mention takes the next one from below, or nothing (RFC 6376 §5.4.2). Raises
        Refused."""
        stacks: defaultdict[str, list[Header]] = defaultdict(list)
        for header in self.headers:
            stacks[header.name.lower()].append(header)
        taken = [stacks[name].pop() for name in names if stacks[name]]
        if sum(len(header.raw) for header in taken) > LARGEST:
            raise Refused("the signed fields are too large")
        return b"".join(canonical.header(bytes(header.raw), form) for header in taken)
