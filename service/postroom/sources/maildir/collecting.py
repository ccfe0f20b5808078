"""From `new/` to the desk: what lies there and is not known yet, in groups, each one commit."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

from postroom.errors import Temporary
from postroom.ledger.rows import OWN, Arrival, Batch, Cursor, End, State
from postroom.sources import Desk
from postroom.sources.head import sender_of
from postroom.sources.maildir.names import flags_in, key_of, names_in
from postroom.sources.maildir.owning import own
from postroom.sources.maildir.reading import NoMessage, Read, copy, read
from postroom.spool import Blob

FOLDER = "INBOX"
GROUP = 200  # messages in a commit
GROUP_OCTETS = 8_000_000
RECORDED = 2000  # old messages in a commit, of which only the names are kept
LISTED = timedelta(hours=1)  # how often the ledger is told all that lies there
OLD = End(State.SETTLED, outcome="kept")
"""How a message ends that lay there before its mailbox was ours, with `start: now`: known, and left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A file that could not be read; None: there is no such message (any more)."""

    name: str
    reason: str | None


class Collector:
    """One Maildir. Keeps in memory which names are known to the ledger, so that each is asked about once."""

    def __init__(self, root: Path, desk: Desk) -> None:
        self._root = root
        self._new = root / "new"
        self._desk = desk
        self._known: set[str] = set()
        self._listed_at: float | None = None

    async def begin(self, *, everything: bool) -> None:
        """At the first time of all: what lies there already is old, unless `everything` is wanted."""
        if await self._desk.cursor(FOLDER) is not None:
            return
        names = [] if everything else await asyncio.to_thread(lambda: sorted(names_in(self._new)))
        for group in _groups(names, RECORDED):
            await self._desk.take(Batch(arrivals=tuple(self._known_only(name, end=OLD) for name in group)))
        # Last, so that a crash before it begins anew.
        await self._desk.take(Batch(arrivals=(), cursor=Cursor(folder=FOLDER, uidvalidity=0, next=0)))

    async def reconcile(self) -> None:
        """Look through all of `new/`, and again for what could not be read before."""
        names = await asyncio.to_thread(lambda: sorted(names_in(self._new)))
        self._known &= set(names)
        await self.take(names)
        await self._try_again()
        if self._listed_at is None or monotonic() - self._listed_at > LISTED.total_seconds():
            await self._desk.listed([key_of(name) for name in names])
            self._listed_at = monotonic()
        self._desk.looked()

    async def take(self, names: Iterable[str]) -> None:
        """Hand over those of these names in `new/` that are not known yet."""
        keys = {key_of(name): name for name in names if name not in self._known}
        known = await self._desk.known(keys) if keys else frozenset()
        self._known.update(keys[key] for key in known)
        waiting = [name for key, name in keys.items() if key not in known]
        ours = await own(self._desk, waiting)
        await self._hand_over([self._known_only(name, end=OWN) for name in waiting if name in ours])
        waiting = [name for name in waiting if name not in ours]
        while waiting:
            await self._desk.room()
            found = await asyncio.to_thread(self._read, waiting)
            arrivals = await asyncio.gather(*map(self._arrival, found))
            await self._hand_over([arrival for arrival in arrivals if arrival is not None])
            self._known.update(one.name for one in found)
            waiting = waiting[len(found) :]

    async def _try_again(self) -> None:
        for row in await self._desk.wanted(FOLDER):
            found = await asyncio.to_thread(self._read_one, row.source_key)
            arrival = await self._arrival(found)
            if arrival is None:
                await self._desk.vanished([row.source_key])
            elif isinstance(found, Unread):
                await self._desk.missed(row, Temporary(f"a file in {self._new} cannot be read: {found.reason}"))
            else:
                await self._hand_over([arrival])

    async def _hand_over(self, arrivals: Sequence[Arrival]) -> None:
        if arrivals:
            await self._desk.take(Batch(arrivals=tuple(arrivals)))

    def _read(self, names: Sequence[str]) -> list[Read | Unread]:
        """As many as make a group, from the first on."""
        found: list[Read | Unread] = []
        octets = 0
        for name in names:
            one = self._read_one(name)
            found.append(one)
            octets += len(one.content or b"") if isinstance(one, Read) else 0
            if len(found) >= GROUP or octets >= GROUP_OCTETS:
                break
        return found

    def _read_one(self, name: str) -> Read | Unread:
        """From `new/`, or from `cur/` where a mail reader was faster than we."""
        try:
            return read(self._new, name, self._desk.inline)
        except FileNotFoundError:
            return self._read_moved(name)
        except NoMessage:
            return Unread(name=name, reason=None)
        except OSError as error:
            return Unread(name=name, reason=error.strerror or type(error).__name__)

    def _read_moved(self, name: str) -> Read | Unread:
        key = key_of(name)
        for directory in (self._root / "cur", self._new):
            for other in names_in(directory):
                if key_of(other) == key:
                    try:
                        return read(directory, other, self._desk.inline)
                    except (OSError, NoMessage):
                        return Unread(name=name, reason=None)
        return Unread(name=name, reason=None)

    async def _arrival(self, found: Read | Unread) -> Arrival | None:
        if isinstance(found, Unread):
            return None if found.reason is None else self._known_only(found.name)
        if found.size > self._desk.largest:
            told = f"it has {found.size:,} octets, more than `limits.message` allows, and was left where it is"
            return self._known_only(found.name, size=found.size, end=End(State.DEAD, error=told))
        if found.content is not None:
            return self._whole(found, found.content, found.content)
        draft = self._desk.draft()
        try:
            start = await asyncio.to_thread(copy, found, draft, self._desk.largest)
            return self._whole(found, start, await self._desk.store(draft))
        except (OSError, NoMessage):
            return self._known_only(found.name)  # a reader took it just now: tried again from where it is
        finally:
            draft.discard()

    def _whole(self, found: Read, start: bytes, content: bytes | Blob) -> Arrival:
        return Arrival(
            source_key=key_of(found.name),
            pipeline=self._desk.pipeline,
            received=found.delivered,
            content=content,
            sender=sender_of(start),
            folder=FOLDER,
            flags=flags_in(found.name),
        )

    def _known_only(self, name: str, *, size: int = 0, end: End | None = None) -> Arrival:
        return Arrival(
            source_key=key_of(name),
            pipeline=self._desk.pipeline,
            received=datetime.now(UTC),
            content=None,
            folder=FOLDER,
            size=size,
            end=end,
        )


def _groups(names: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (names[start : start + size] for start in range(0, len(names), size))
