"""Marks of ours on what we forward, and the signs of a loop (RFC 5321 6.3).

`X-Postroom-Trace: HOPS SIGNATURE SIGNATURE`: how often the message has gone through us, and to whom this time, which
only we can tell. Both are bound to its Message-ID, so that a mark that is copied onto another message proves nothing.
"""

import re
from collections.abc import Iterator
from typing import Final

from postroom.message import Message
from postroom.pipeline.tools import Seal

FIELD: Final = "X-Postroom-Trace"
MOST_HOPS: Final = 4  # through us
MOST_RECEIVED: Final = 50  # Received fields, as Postfix has it
_MARK: Final = re.compile(r"(\d{1,3}) ([0-9a-z]{1,64}) ([0-9a-z]{1,64})")
_MOST_MARKS: Final = 20


def loop(message: Message, recipient: str, seal: Seal) -> str:
    """Why forwarding to this recipient would go round in a circle; empty: it would not."""
    if message.headers.occurrences("Received") >= MOST_RECEIVED:
        return f"it has passed {MOST_RECEIVED} servers already"
    if any(value.strip().lower() == recipient.lower() for value in message.headers.get_all("Delivered-To")):
        return "it has been delivered to this recipient already (Delivered-To)"
    if hops(message, seal) >= MOST_HOPS:
        return f"it has been forwarded from here {MOST_HOPS} times already"
    if _wraps(message) >= MOST_HOPS:
        return f"it has been put into messages of forwarders {MOST_HOPS} times already"
    id_ = message.message_id or ""
    if any(seal.verify(_to(id_, hop, recipient), signature) for hop, _, signature in _marks(message)):
        return "it has been forwarded to this recipient already"
    return ""


def hops(message: Message, seal: Seal) -> int:
    """How often a message has been forwarded from here."""
    id_ = message.message_id or ""
    return max((hop for hop, signature, _ in _marks(message) if seal.verify(_hop(id_, hop), signature)), default=0)


def mark(message: Message, recipient: str, seal: Seal, wrap: str | None = None) -> str:
    """The value of the field for this time. `wrap`: the Message-ID of the message of ours that it goes inside of."""
    id_ = wrap or message.message_id or ""
    hop = max(hops(message, seal), _wraps(message)) + 1
    return f"{hop} {seal.sign(_hop(id_, hop))} {seal.sign(_to(id_, hop, recipient))}"


def _wraps(message: Message) -> int:
    """How often forwarders like us say that they put it into a message of theirs. Each of these has an id of its own
    and no Received field: two sites would not know their own marks again. Nobody verifies it, as who says too much only
    stops mail of his own."""
    if not message.is_auto_submitted:
        return 0
    return max((hop for hop, _, _ in _marks(message)), default=0)


def _marks(message: Message) -> Iterator[tuple[int, str, str]]:
    for value in message.headers.get_all(FIELD)[:_MOST_MARKS]:
        if found := _MARK.fullmatch(" ".join(value.split())):
            yield int(found[1]), found[2], found[3]


def _hop(id_: str, hop: int) -> str:
    return f"forwarded\0{id_}\0{hop}"


def _to(id_: str, hop: int, recipient: str) -> str:
    return f"forwarded to\0{id_}\0{hop}\0{recipient.lower()}"
