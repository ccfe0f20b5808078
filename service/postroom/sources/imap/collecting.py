"""New mail of one folder: by UID from the cursor on, in windows, into the ledger; nothing else is asked of the server.

The cursor is stored with the messages before it, never ahead of them: UIDNEXT says how far to look, and may be wrong. A
UID whose body cannot be had now is recorded as wanted, so that it holds up none (`wanting`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from postroom.ledger.rows import Arrival, Batch, Cursor
from postroom.sources import Desk
from postroom.sources.imap import bodies, uidsets
from postroom.sources.imap.arriving import Arriving
from postroom.sources.imap.fetched import Fetched, fetched
from postroom.sources.imap.folder import Selected
from postroom.sources.imap.wanting import Wanting

WINDOW: Final = 500  # UIDs looked at in one command, where they lie densely
WIDEST: Final = 100_000
RECONCILED = timedelta(hours=1)  # how often an idle folder's cursor is stored with a new time
_ITEMS = "(UID RFC822.SIZE FLAGS)"


@dataclass(eq=False, kw_only=True)
class Collector:
    """Brings a selected folder's new messages in. `meanwhile` is called now and then: it settles."""

    selected: Selected
    desk: Desk
    cursor: Cursor
    clock: Callable[[], datetime]
    arriving: Arriving
    wanting: Wanting
    meanwhile: Callable[[], Awaitable[None]]
    _taking: "asyncio.Task[None] | None" = field(default=None, init=False)
    _stored: Cursor | None = field(default=None, init=False)
    _caught_up: int = field(default=0, init=False)  # the UIDNEXT up to which nothing more is found

    async def look(self) -> None:
        """All that is there now is recorded when this returns. Raises Lost, Rejected, Temporary."""
        if self._stored is None:  # later looks end with this
            self._stored = self.cursor
            await self.wanting.fetch()
        if self.selected.arrived > WINDOW:  # so many that they are better looked at in windows
            await self.selected.again()
        await self._catch_up(await self.selected.end())
        while True:
            self.selected.arrived = 0
            last = await self._look_beyond()
            if not last or self.selected.arrived == 0:
                break
        await self._taken()
        await self.wanting.fetch()
        await self._note_time()
        self.desk.looked()

    async def take(self, messages: Sequence[Fetched]) -> None:
        """Record these, wherever the cursor is; it stays."""
        for group in bodies.groups(messages):
            await self._room()
            await self.desk.take(Batch(arrivals=tuple(await self._arrivals(group))))

    async def _catch_up(self, end: int) -> None:
        """What lies between the cursor and the UIDNEXT of the last SELECT."""
        width = WINDOW if self.selected.exists > WINDOW else uidsets.HIGHEST
        low = max(self.cursor.next, self._caught_up)
        while low < end:
            high = min(end, low + width)
            found = await self._window(f"{low}:{high - 1}", high)
            if high < end:
                await self.meanwhile()  # what is done by now does not wait for all the rest
                if not found:
                    end = min(end, await self.selected.last() + 1)
            if width < uidsets.HIGHEST:
                # UIDs may lie far apart, where much was deleted.
                width = min(WIDEST, width * 4) if found < WINDOW // 4 else WINDOW
            low = high
        self._caught_up = end
        self.selected.next = max(end, self.cursor.next)

    async def _look_beyond(self) -> int:
        """What came since SELECT. `n:*` also answers with the last message there is, however old."""
        return await self._window(f"{self.cursor.next}:*", None)

    async def _window(self, text: str, high: int | None) -> int:
        told = await self._told(text)
        if self._leaves_out(told.values(), to_end=high is None):
            # The cursor would pass by them for ever. Asked again, the server is believed.
            told = await self._told(text) | told
        self.selected.require()
        news = [told[uid] for uid in sorted(told) if uid >= self.cursor.next and (high is None or uid < high)]
        for group in bodies.groups(news):
            await self._room()
            await self._group(group)
        return len(news)

    async def _told(self, text: str) -> dict[int, Fetched]:
        reply = await self.selected.imap.call("UID", "FETCH", text, _ITEMS)
        return fetched(reply.require().data)

    def _leaves_out(self, told: Collection[Fetched], *, to_end: bool) -> bool:
        """Whether there are messages between the new ones, of which the server said nothing."""
        places = {one.number for one in told if one.number and one.uid >= self.cursor.next}
        if not places:
            return False
        first = 1 if self.cursor.next == 1 else min(places)
        last = max(self.selected.exists if to_end else 0, *places)
        return last - first >= len(places)

    async def _group(self, group: Sequence[Fetched]) -> None:
        cursor = replace(self.cursor, next=group[-1].uid + 1, reconciled_at=self.clock())
        if self.arriving.history.died:
            # One of these ended the last connection: none of them may hold up the others.
            self.arriving.history.died = False
            await self._take(Batch(arrivals=tuple(self.arriving.wanted(message) for message in group), cursor=cursor))
            await self._taken()
            await self.wanting.fetch()
            return
        self.arriving.history.died = True
        arrivals = await self._arrivals(group)
        self.arriving.history.died = False
        await self._take(Batch(arrivals=tuple(arrivals), cursor=cursor))
        if any(arrival.content is None and arrival.end is None for arrival in arrivals):
            await self._taken()
            await self.wanting.fetch()

    async def _arrivals(self, group: Sequence[Fetched]) -> list[Arrival]:
        found = await bodies.of(self.selected.imap, self.desk, group)
        self.selected.require()
        awaited = await self.arriving.awaited(found.values())
        return [self.arriving.arrival(message, found.get(message.uid), awaited) for message in group]

    async def _take(self, batch: Batch) -> None:
        """Hand over a batch; while it is committed, the next one may come from the server."""
        await self._taken()
        self._taking = asyncio.create_task(self._recorded(batch))
        assert batch.cursor is not None
        self.cursor = batch.cursor

    async def _recorded(self, batch: Batch) -> None:
        await self.desk.take(batch)
        self._stored = batch.cursor

    async def _taken(self) -> None:
        if self._taking is not None:
            taking, self._taking = self._taking, None
            await taking

    async def _note_time(self) -> None:
        """After a change of UIDVALIDITY the time of the last look tells old messages from new ones."""
        stored, now = self._stored, self.clock()
        assert stored is not None
        if stored.reconciled_at is None or now - stored.reconciled_at > RECONCILED or stored.next != self.cursor.next:
            self.cursor = replace(self.cursor, reconciled_at=now)
            await self._recorded(Batch(arrivals=(), cursor=self.cursor))

    async def _room(self) -> None:
        """Wait for room; what is done meanwhile is settled, and the server hears of us."""
        waiting = asyncio.ensure_future(self.desk.room())
        try:
            while not waiting.done():
                await asyncio.wait({waiting}, timeout=1)
                if not waiting.done():
                    await self._taken()
                    await self.meanwhile()
            waiting.result()
        finally:
            waiting.cancel()
