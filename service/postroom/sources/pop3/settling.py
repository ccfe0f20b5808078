"""What becomes of the copies on the server: which go, which stay, and for how long."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from postroom.ledger.rows import Settled, Waiting
from postroom.settings.mailboxes import Pop3Mailbox
from postroom.sources.pop3.client import Client, Rejected
from postroom.sources.pop3.listing import Listed
from postroom.sources.settlement import Settlement

GROUP = 100  # commands that are sent at once where the server allows that


def verdict(work: Settlement, settings: Pop3Mailbox) -> Waiting | bool:
    """Whether the server's copy goes: only where the message lives elsewhere by now, or was discarded."""
    if work.place == "kept" and settings.store is None:
        return False
    keep = settings.keep_on_server
    if isinstance(keep, timedelta):
        until = work.received + keep
        return Waiting(message=work.message, until=until) if until > datetime.now(UTC) else True
    return not keep


def vanished_or(work: Settlement, settings: Pop3Mailbox) -> Settled:
    """The answer for a message that the server has no more: away as it should be, maybe by a removal of ours whose
    confirmation was lost; else its reader took it."""
    reader = work.place == "kept" and settings.store is None
    return Settled(message=work.message, outcome="vanished" if reader else work.place)


class Remover:
    """Marks messages for removal. Nothing is removed before the server has answered QUIT (RFC 1939 6)."""

    def __init__(self, client: Client, messages: Sequence[Listed]) -> None:
        self._client = client
        self._numbers = {message.key: message.number for message in messages}

    def has(self, work: Settlement) -> bool:
        """Whether the server listed the message."""
        return work.key in self._numbers

    def removable(self, works: Iterable[Settlement]) -> list[Settlement]:
        """Those that may go now. Of messages with the same UIDL the last go first: the key of one that stays would
        become another's."""
        wanted = {work.key: work for work in works}
        staying: set[str] = set()
        going = []
        for key in sorted(self._numbers, key=_last_first):
            identity = key.rpartition("#")[0]
            if key in wanted and identity not in staying:
                going.append(wanted[key])
            elif key not in wanted:
                staying.add(identity)
        return going

    async def mark(self, works: Sequence[Settlement]) -> list[Settlement]:
        """Answers which were marked; one that the server refuses to mark is asked again. Raises Lost."""
        marked = []
        size = GROUP if self._client.pipelines else 1
        for start in range(0, len(works), size):
            group = works[start : start + size]
            self._client.send(*(f"DELE {self._numbers[work.key]}" for work in group))
            for work in group:
                try:
                    await self._client.reply()
                except Rejected:
                    continue
                marked.append(work)
        return marked


def _last_first(key: str) -> tuple[str, int]:
    identity, _, number = key.rpartition("#")
    return identity, -int(number)
