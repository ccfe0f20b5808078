"""How a message came to the site: the envelope's sender, the client that a host of ours saw, what they wrote on top."""

from collections.abc import Sequence

from postroom.authentication.examine import Came
from postroom.message import Header, Message, parse
from postroom.pipeline.tools import Trust
from postroom.steps.redirect import return_path
from postroom.steps.trust import client, hosts_of, trusted


def origin(message: Message, prefix: bytes, sender: str | None, trust: Trust) -> Came:
    """By the field that we wrote ourselves, and the message's own that hosts of ours wrote."""
    headers, hosts = _read(message, prefix, trust)
    if sender is None:
        sender = return_path(message)
    found = client(headers, hosts)
    return Came(address=found.address, helo=found.helo, sender=sender) if found else Came(sender=sender)


def written_on_top(message: Message, prefix: bytes, trust: Trust) -> Sequence[Header]:
    """Fields that no stranger wrote."""
    return trusted(*_read(message, prefix, trust))


def _read(message: Message, prefix: bytes, trust: Trust) -> tuple[Sequence[Header], tuple[str, ...]]:
    ours = tuple(parse(prefix).headers) if prefix else ()
    return (*ours, *message.headers), (*trust.hosts, *hosts_of(ours))
