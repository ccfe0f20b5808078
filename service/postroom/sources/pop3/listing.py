"""What lies on the server: each message with its number in this session, its size, and a key that lasts."""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from postroom.errors import Permanent
from postroom.ledger.rows import Arrival, End
from postroom.sources.losses import Lost
from postroom.sources.pop3.client import Client, Rejected

FOLDER = "INBOX"
# An identity has 70 octets at most (RFC 1939 7); some servers give longer ones.
_LINE = re.compile(rb"[ ]*(\d{1,9})[ ]+(.{0,499}\S)[ ]*")


@dataclass(frozen=True, slots=True)
class Listed:
    """`key`: `UIDL#n`, the n-th of equal ones. `size`: as the server says, which may be wrong."""

    number: int
    key: str
    size: int

    def arrival(self, *, pipeline: str, store: str | None, at: datetime, end: End | None = None) -> Arrival:
        """Known by its key, without its bytes."""
        return Arrival(
            source_key=self.key,
            pipeline=pipeline,
            store=store,
            received=at,
            content=None,
            folder=FOLDER,
            size=self.size if end else 0,
            end=end,
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """All messages that have an identity, oldest first. `complete`: that is all that the server has."""

    messages: tuple[Listed, ...]
    complete: bool


async def listing(client: Client) -> Listing:
    """Raises Permanent where the server tells no identities, Lost, Rejected."""
    try:
        identities = _pairs(await client.lines("UIDL"))
    except Rejected as error:
        if error.code.startswith("SYS/TEMP"):
            raise
        raise Permanent(
            "the server has no UIDL, without which mail that was seen cannot be told from new mail"
        ) from None
    sizes = {number: text for number, text in _pairs(await client.lines("LIST")).items() if text.split()[0].isdigit()}
    seen: Counter[str] = Counter()
    messages = []
    for number, text in sorted(identities.items()):
        identity = text.decode("ascii", "backslashreplace")
        seen[identity] += 1
        size = int(sizes.get(number, b"0").split()[0][:15])
        messages.append(Listed(number, f"{identity}#{seen[identity]}", size))
    return Listing(tuple(messages), complete=identities.keys() == sizes.keys())


def _pairs(lines: list[bytes]) -> dict[int, bytes]:
    """Number and the rest of each line; what is not so formed is left out. Raises Lost where a number stands twice:
    what would be removed by it, nobody knows."""
    found = [told for line in lines if (told := _LINE.fullmatch(line))]
    pairs = {int(told[1]): told[2] for told in found}
    if len(pairs) < len(found):
        raise Lost("protocol", "the server lists two messages under one number")
    return pairs
