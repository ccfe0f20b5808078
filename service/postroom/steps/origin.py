"""How a message came to the site: the envelope's sender, the client that a host of ours saw, what they wrote on top."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from postroom.message import Header, Message, parse
from postroom.pipeline.tools import Trust
from postroom.steps.redirect import return_path
from postroom.steps.trust import client, hosts_of, is_from_outside, trusted

if TYPE_CHECKING:
    from postroom.authentication.examine import Came


def origin(message: Message, prefix: bytes, sender: str | None, trust: Trust) -> "Came":
    """By the field that we wrote ourselves, and the message's own that hosts of ours wrote."""
    from postroom.authentication.examine import Came

    ours = _fields(prefix)
    if sender is None:
        sender = return_path(message)
    found = client((*ours, *message.headers), (*trust.hosts, *hosts_of(ours)))
    return Came(address=found.address, helo=found.helo, sender=sender) if found else Came(sender=sender)


def written_on_top(message: Message, prefix: bytes, trust: Trust) -> Sequence[Header]:
    """Fields that hosts of ours wrote. In what a stranger handed to our own listener there are none."""
    if is_from_outside(_fields(prefix), trust.hosts):
        return ()
    return trusted(message.headers, trust.hosts, below=trust.below)


def _fields(prefix: bytes) -> tuple[Header, ...]:
    return tuple(parse(prefix).headers) if prefix else ()
