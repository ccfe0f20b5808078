"""One folder on one connection: looked through, settled, watched."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from postroom.ledger.rows import Batch, Cursor
from postroom.settings.mailboxes import ImapMailbox
from postroom.sources import Desk
from postroom.sources.allowance import Allowance
from postroom.sources.imap.arriving import Arriving, History
from postroom.sources.imap.collecting import Collector
from postroom.sources.imap.connection import Imap
from postroom.sources.imap.folder import NOOP_SECONDS, Selected
from postroom.sources.imap.jobs import Attempts
from postroom.sources.imap.owning import Owning
from postroom.sources.imap.reconciling import Reconciler
from postroom.sources.imap.responses import Rejected
from postroom.sources.imap.settling import Settler
from postroom.sources.imap.signal import Signal
from postroom.sources.imap.targets import Targets
from postroom.sources.imap.wanting import Wanting

# A folder is selected anew now and then: some servers change UIDVALIDITY without a word.
SELECTED_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What all connections of one mailbox share. `folders`: those that are watched, by name."""

    account: ImapMailbox
    desk: Desk
    clock: Callable[[], datetime]
    folders: dict[str, History]
    attempts: Attempts
    allowance: Allowance

    def settler(self, selected: Selected, targets: Targets) -> Settler:
        """For a folder, watched or not."""
        naming = selected.imap.naming
        return Settler(
            account=self.account,
            selected=selected,
            desk=self.desk,
            targets=targets,
            owning=Owning(desk=self.desk, clock=self.clock, naming=naming, watched=self.folders),
            attempts=self.attempts,
            clock=self.clock,
        )


class Visit:
    """A folder while it is selected. Methods raise Lost, Rejected, Temporary."""

    def __init__(self, shared: Circumstances, selected: Selected, targets: Targets, cursor: Cursor) -> None:
        self._shared = shared
        self._selected = selected
        desk, clock = shared.desk, shared.clock
        self._loop = asyncio.get_running_loop()
        self._idles = selected.imap.has("IDLE")
        self._noop_at = self._loop.time() + NOOP_SECONDS
        self._renew_at = self._loop.time() + SELECTED_SECONDS
        arriving = Arriving(selected=selected, desk=desk, clock=clock, history=shared.folders[selected.name])
        self.collector = Collector(
            selected=selected,
            desk=desk,
            cursor=cursor,
            clock=clock,
            arriving=arriving,
            wanting=Wanting(selected=selected, desk=desk, arriving=arriving),
            meanwhile=self._meanwhile,
        )
        self.settler = shared.settler(selected, targets)

    @classmethod
    async def begin(
        cls, shared: Circumstances, imap: Imap, folder: str, attention: Signal, targets: Targets
    ) -> "Visit":
        """Select it, and know where to go on."""
        selected = await Selected.open(imap, folder, attention)
        old = await shared.desk.cursor(folder) or await cls._first(shared, selected)
        # A cursor ahead of all UIDs: the server once said something wrong, and what came since lies behind it.
        if old.uidvalidity == selected.validity and not await selected.never_had(old.next - 1):
            return cls(shared, selected, targets, old)
        fresh = Cursor(folder=folder, uidvalidity=selected.validity, next=await selected.end())
        visit = cls(shared, selected, targets, fresh)
        visit.collector.cursor = await Reconciler(
            selected=selected,
            desk=shared.desk,
            old=old,
            collector=visit.collector,
            surprise_limit=shared.account.surprise_limit,
            clock=shared.clock,
        ).run()
        return visit

    @classmethod
    async def _first(cls, shared: Circumstances, selected: Selected) -> Cursor:
        start = 1 if shared.account.start == "all" else await selected.end()
        cursor = Cursor(folder=selected.name, uidvalidity=selected.validity, next=start, reconciled_at=shared.clock())
        await shared.desk.take(Batch(arrivals=(), cursor=cursor))
        return cursor

    @property
    def is_over(self) -> bool:
        """Whether the folder must be selected anew."""
        return self._selected.is_stale or self._loop.time() > self._renew_at

    async def work(self) -> int:
        """Bring in all that is there, settle all that is done; answers how many were settled at the end."""
        await self.collector.look()
        settled = 0
        while number := await self.settler.settle():
            settled += number
        return settled

    async def rest(self) -> None:
        """Until something may have happened: a push, something to settle, or the time."""
        imap, attention, account = self._selected.imap, self._selected.attention, self._shared.account
        if attention.is_set():
            return
        if self._idles:
            try:
                await imap.idle(attention, account.idle.total_seconds())
            except Rejected:  # it was offered all the same
                self._idles = False
        else:
            await wait(attention, account.poll.total_seconds())
            (await imap.call("NOOP")).require()

    async def _meanwhile(self) -> None:
        await self.settler.settle()
        if self._loop.time() > self._noop_at:
            await self._selected.imap.call("NOOP")
            self._noop_at = self._loop.time() + NOOP_SECONDS


async def wait(event: Signal, seconds: float) -> None:
    """For the event, or so long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
