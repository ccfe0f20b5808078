"""Old mail of one folder, on demand: what lies before the cursor and is not known yet.

It may be ended at any time and begun anew: what is recorded is known, and is not asked for again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from postroom.ledger.rows import Batch, End, State
from postroom.settings.mailboxes import ImapMailbox
from postroom.sources import Desk
from postroom.sources.imap import bodies
from postroom.sources.imap.arriving import Arriving, History
from postroom.sources.imap.collecting import WIDEST, WINDOW
from postroom.sources.imap.connection import Imap
from postroom.sources.imap.fetched import Fetched, fetched
from postroom.sources.imap.folder import Selected
from postroom.sources.imap.signal import Signal

_ITEMS = "(UID RFC822.SIZE INTERNALDATE FLAGS)"
UNTOUCHED = End(State.SETTLED, outcome="kept")
"""For `--no-effects`: recorded as known, with nothing done."""


@dataclass(frozen=True, slots=True)
class Progress:
    """`seen` of `total` UIDs are looked at; `found` messages are old mail, `taken` of them recorded."""

    seen: int = 0
    total: int = 0
    found: int = 0
    taken: int = 0


@dataclass(eq=False, kw_only=True)
class Backfill:
    """Of one folder. `since`: by the time of arrival at the server. `dry_run`: only counts. `no_effects`: messages are
    recorded as known and left as they are. `told` hears of progress."""

    account: ImapMailbox
    desk: Desk
    folder: str
    since: datetime | None = None
    dry_run: bool = False
    no_effects: bool = False
    told: Callable[[Progress], None] = lambda _: None

    async def run(self) -> Progress:
        """Take what is there. Raises Lost, LoginRefused, Temporary; what was taken by then is taken."""
        async with await Imap.open(self.account) as imap:
            selected = await Selected.open(imap, self.folder, Signal(), examine=True)
            cursor = await self.desk.cursor(self.folder)
            end = await selected.end()
            if cursor is not None and cursor.uidvalidity == selected.validity:
                end = min(end, cursor.next)  # the rest is the watcher's
            arriving = Arriving(selected=selected, desk=self.desk, clock=_now, history=History(expects=True))
            progress = Progress(total=max(0, end - 1))
            low, width = 1, WINDOW if selected.exists > WINDOW else end
            while low < end:
                high = min(end, low + width)
                news = await self._window(selected, low, high)
                progress = replace(progress, found=progress.found + len(news))
                if not self.dry_run:
                    progress = await self._take(arriving, news, progress)
                width = min(WIDEST, width * 4) if len(news) < WINDOW // 4 else WINDOW
                low = high
                progress = replace(progress, seen=high - 1)
                self.told(progress)
            return progress

    async def _window(self, selected: Selected, low: int, high: int) -> list[Fetched]:
        """Messages that are old mail and not known yet."""
        reply = await selected.imap.call("UID", "FETCH", f"{low}:{high - 1}", _ITEMS)
        told = fetched(reply.require().data)
        selected.require()
        wanted = [told[uid] for uid in sorted(told) if low <= uid < high and self._is_recent(told[uid])]
        known = await self.desk.known([selected.key(one.uid) for one in wanted])
        return [one for one in wanted if selected.key(one.uid) not in known]

    def _is_recent(self, message: Fetched) -> bool:
        return self.since is None or message.arrived is None or message.arrived >= self.since

    async def _take(self, arriving: Arriving, news: Sequence[Fetched], progress: Progress) -> Progress:
        for group in bodies.groups(news):
            if self.no_effects:
                arrivals = [replace(arriving.wanted(message), end=UNTOUCHED) for message in group]
            else:
                await self.desk.room()
                found = await bodies.of(arriving.selected.imap, self.desk, group)
                awaited = await arriving.awaited(found.values())
                arrivals = [arriving.arrival(message, found.get(message.uid), awaited) for message in group]
            arriving.selected.require()
            await self.desk.take(Batch(arrivals=tuple(arrivals)))
            progress = replace(progress, taken=progress.taken + len(arrivals))
            self.told(progress)
        return progress


def _now() -> datetime:
    return datetime.now(UTC)
