"""IMAP as a source: connections that watch the folders of one mailbox, and come back when they are lost."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime

from postroom.errors import Temporary
from postroom.settings.mailboxes import ImapMailbox
from postroom.sources import Desk, Loss
from postroom.sources.allowance import Allowance
from postroom.sources.imap.arriving import History
from postroom.sources.imap.connection import Imap
from postroom.sources.imap.folder import Selected
from postroom.sources.imap.jobs import Attempts
from postroom.sources.imap.names import folded
from postroom.sources.imap.responses import Rejected
from postroom.sources.imap.signal import Signal
from postroom.sources.imap.targets import Targets
from postroom.sources.imap.visit import Circumstances, Visit, wait
from postroom.sources.losses import LoginRefused, Lost

FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0
# A server that refuses us is asked again far more slowly: others lock accounts, or addresses, after a few tries.
REFUSED_WAIT, REFUSED_LONGEST = 300.0, 3600.0
STEADY = 60.0  # a connection that lived so long was a good one


class ImapSource:
    """The folders of one mailbox."""

    def __init__(self, account: ImapMailbox) -> None:
        self._account = account
        # Once each: INBOX means the same in any case.
        self._folders = list({folded(folder): folder for folder in account.folders}.values())

    async def run(self, desk: Desk) -> None:
        """Until cancelled."""
        shared = Circumstances(
            account=self._account,
            desk=desk,
            clock=_now,
            folders={folder: History(expects=len(self._folders) > 1) for folder in self._folders},
            attempts=Attempts(_now()),
            allowance=Allowance(_now),
        )
        door = Door(self._account, desk)
        watches = [Watch(shared, door, group) for group in shares(self._folders, self._account.max_connections)]

        def called() -> None:
            for watch in watches:
                watch.attention.set()

        with desk.heeding(called):
            await _together(watches)


def shares(folders: Sequence[str], connections: int) -> list[Sequence[str]]:
    """Which folders share a connection: one each while there are connections, the last one has the rest in turn."""
    single = min(len(folders), connections) - 1
    return [[folder] for folder in folders[:single]] + [folders[single:]]


async def _together(watches: Sequence["Watch"]) -> None:
    """Until one fails. The only one, as most are, needs no task of its own."""
    if len(watches) == 1:
        return await watches[0].run()
    try:
        async with asyncio.TaskGroup() as tasks:
            for watch in watches:
                tasks.create_task(watch.run())
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from group


class Door:
    """Logins of one mailbox: one at a time, and none for a while after a refusal."""

    def __init__(self, account: ImapMailbox, desk: Desk) -> None:
        self._account = account
        self._desk = desk
        self._lock = asyncio.Lock()
        self._refused_until = 0.0
        self._refusals = 0
        self._inside = 0

    async def enter(self) -> Imap:
        """A connection, logged in. Raises Lost, Temporary; waits while logins are refused."""
        loop = asyncio.get_running_loop()
        async with self._lock:
            while True:
                await asyncio.sleep(max(0.0, self._refused_until - loop.time()))
                try:
                    imap = await Imap.open(self._account)
                    break
                except LoginRefused as error:
                    self._desk.refused(error)
                    longest = min(REFUSED_WAIT * 2**self._refusals, REFUSED_LONGEST)
                    self._refusals += 1
                    self._refused_until = loop.time() + longest * _jitter()
        self._refusals = 0
        self._inside += 1
        self._desk.connected()
        return imap

    def left(self, reason: Loss) -> None:
        """A connection ended."""
        self._inside -= 1
        self._desk.lost(reason)
        if self._inside:
            self._desk.connected()


class Watch:
    """One connection and the folders that it looks after."""

    def __init__(self, shared: Circumstances, door: Door, folders: Sequence[str]) -> None:
        self._shared = shared
        self._door = door
        self._folders = folders
        self.attention = Signal()

    async def run(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        pause = FIRST_WAIT
        while True:
            began = loop.time()
            await self._once()
            if loop.time() - began > STEADY:
                pause = FIRST_WAIT
            await asyncio.sleep(pause * _jitter())
            pause = min(pause * 2, LONGEST_WAIT)

    async def _once(self) -> None:
        """One connection, from login to loss."""
        try:
            imap = await self._door.enter()
        except Lost as error:
            self._shared.desk.lost(error.reason)
            if error.reason == "tls":
                self._shared.desk.refused(error)  # an operator's mistake more often than not
            return
        except Temporary as error:  # the secret cannot be had
            self._shared.desk.refused(error)
            return
        reason: Loss = "stopped"
        refusal: Rejected | None = None
        try:
            async with imap:
                await self._watch(imap)
        except Lost as error:
            reason = error.reason
        except Rejected as error:
            reason, refusal = "protocol", error
        except Temporary:
            pass  # ledger or spool: nothing was lost, all is looked at again
        finally:
            self._door.left(reason)
        if refusal is not None:
            self._shared.desk.refused(refusal)

    async def _watch(self, imap: Imap) -> None:
        targets = Targets(imap=imap, creates=self._shared.account.create, allowance=self._shared.allowance)
        if len(self._folders) > 1:
            await self._take_turns(imap, targets)
        while True:
            visit = await Visit.begin(self._shared, imap, self._folders[0], self.attention, targets)
            while not visit.is_over:
                woken = self.attention.is_set()
                self.attention.clear()
                settled = await visit.work()
                if woken and not settled and await self._settle_strays(imap, targets):
                    break
                await visit.rest()

    async def _take_turns(self, imap: Imap, targets: Targets) -> None:
        while True:
            self.attention.clear()
            for folder in self._folders:
                try:
                    visit = await Visit.begin(self._shared, imap, folder, self.attention, targets)
                except Rejected as error:  # a folder that is missing keeps none of the others waiting
                    self._shared.desk.refused(error)
                    continue
                await visit.work()
            await self._settle_strays(imap, targets)
            await wait(self.attention, self._shared.account.poll.total_seconds())
            (await imap.call("NOOP")).require()

    async def _settle_strays(self, imap: Imap, targets: Targets) -> bool:
        """Settle what came from folders that are not watched any more; answers whether another one is selected now."""
        desk = self._shared.desk
        works = await desk.unsettled()
        strays = {work.folder for work in works} - self._shared.folders.keys()
        for folder in strays:
            try:
                selected = await Selected.open(imap, folder, Signal())
            except Rejected:  # it is gone, and its messages with it
                await desk.vanished([work.key for work in works if work.folder == folder])
                continue
            await self._shared.settler(selected, targets).settle()
        return bool(strays)


def _jitter() -> float:
    return random.uniform(0.5, 1)  # noqa: S311 - so that not all come back at once


def _now() -> datetime:
    return datetime.now(UTC)
