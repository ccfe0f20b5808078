"""Watching one mailbox: hold its lease, run its source, and begin anew when that ends."""

import asyncio
import random
import threading
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from postroom.desk import MailboxDesk, Office
from postroom.errors import Permanent, PostroomError
from postroom.lessons import learn_from
from postroom.logs import Log, place
from postroom.settings.mailboxes import ImapMailbox, Mailbox
from postroom.sources import source

LEASE = timedelta(seconds=60)
RENEWAL = LEASE.total_seconds() / 4
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
HOPELESS_WAIT = 300.0  # until what an operator has to mend is tried again; a reload does so at once


@dataclass(slots=True)
class Held:
    """A lease of ours, and the time until which it is."""

    lost: "asyncio.Future[None]"
    until: float


class Leases:
    """Renews the leases of one process, all that it holds in one commit, however many they are."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._renewing: asyncio.Task[None] | None = None

    def keep(self, name: str, office: Office) -> "asyncio.Future[None]":
        """Renew it until the answer is cancelled. It comes when the lease is lost, or ran out unrenewed."""
        loop = asyncio.get_running_loop()
        lost: asyncio.Future[None] = loop.create_future()
        self._held[name] = Held(lost, loop.time() + LEASE.total_seconds())
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._run(office), name="leases")
        return lost

    async def _run(self, office: Office) -> None:
        while self._held:
            await due()
            await self.renew(office)

    async def renew(self, office: Office) -> None:
        """All that are held, now."""
        loop = asyncio.get_running_loop()
        self._held = {name: held for name, held in self._held.items() if not held.lost.done()}
        asked, names = loop.time(), tuple(self._held)
        try:
            ours = await office.call(office.ledger.prolong, names, office.owner, LEASE) if names else frozenset[str]()
        except Exception:  # also a bug of ours: who cannot renew a lease loses it in the end
            office.log.warning("ledger.locked")
            ours = frozenset(name for name in names if self._held[name].until > loop.time())
        else:
            for name in ours:
                self._held[name].until = asked + LEASE.total_seconds()
        for name in names:
            if name not in ours and not self._held[name].lost.done():
                self._held[name].lost.set_result(None)


async def due() -> None:
    """Wait until leases are to be renewed: the same moment for all."""
    await asyncio.sleep(RENEWAL - asyncio.get_running_loop().time() % RENEWAL)


class Watcher:
    """One mailbox. Only the holder of its lease watches it; a listener's address needs none."""

    def __init__(self, mailbox: Mailbox, desk: MailboxDesk, office: Office, leases: Leases, log: Log) -> None:
        self.mailbox = mailbox
        self.desk = desk
        self._office = office
        self._leases = leases
        self._log = log
        self._lease = f"mailbox {desk.mailbox}"
        self._alone = mailbox.kind != "listener"
        self.holds = False  # the lease, so that what its desk has seen is the truth about the mailbox

    @property
    def waits_for_address(self) -> bool:
        """Whether it is a listener that does not listen: another process may do so."""
        return not self._alone and not self.desk.seen.connected

    async def run(self, *, after: Collection["asyncio.Task[None]"] = ()) -> None:
        """Until cancelled. Gives the lease up at the end. `after`: earlier watchers of the same mailbox in this
        process, which hold the same lease and have to come to their end first."""
        wait = FIRST_WAIT
        if after and self._alone:
            await asyncio.wait(after)
        try:
            while True:
                self.holds = await self._leased()
                if not self.holds:
                    await asyncio.sleep(LEASE.total_seconds() / 10)
                    continue
                began = asyncio.get_running_loop().time()
                wait = await self._watched(wait)
                if asyncio.get_running_loop().time() - began > LONGEST_WAIT:
                    wait = FIRST_WAIT
                await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - so that not all come back at once
                wait = min(wait * 2, HOPELESS_WAIT)
        finally:
            self._office.metrics.unwatched(self.desk.mailbox)
            if self._alone:
                with suppress(PostroomError):
                    await self._office.call(self._office.ledger.lease, self._lease, self._office.owner, timedelta(0))

    async def _watched(self, wait: float) -> float:
        """Run the source until it ends or the lease is lost; answers how long to wait."""
        self._office.metrics.watching(self.desk.mailbox)
        running = asyncio.create_task(self._collected(), name=f"source {self.desk.mailbox}")
        lost = (
            self._leases.keep(self._lease, self._office) if self._alone else asyncio.get_running_loop().create_future()
        )
        others = set[asyncio.Task[None]]()
        if isinstance(self.mailbox, ImapMailbox) and self.mailbox.learn is not None:
            others.add(asyncio.create_task(self._taught(self.mailbox), name=f"learning {self.desk.mailbox}"))
        try:
            await asyncio.wait({running, lost}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.holds = lost.cancel()
            for task in (running, *others):
                task.cancel()
            await asyncio.wait({running, *others})
        error = None if running.cancelled() else running.exception()
        if running.cancelled() or error is None:
            self.desk.lost("stopped" if self.holds else "lease")
            self._office.metrics.unwatched(self.desk.mailbox)
            self._log.warning("mailbox.lease", mailbox=self.desk.mailbox)
            return FIRST_WAIT
        self.desk.lost("protocol")
        if isinstance(error, PostroomError):
            self._log.warning("mailbox.lost", mailbox=self.desk.mailbox, reason=str(error))
        else:
            reason = f"unexpected {type(error).__name__}"
            self._log.warning("mailbox.lost", mailbox=self.desk.mailbox, reason=reason, place=place(error))
        if isinstance(error, Permanent):
            self.desk.refused(error)
            return HOPELESS_WAIT
        return min(wait, LONGEST_WAIT)

    async def _collected(self) -> None:
        """Made in here, too: also what its settings make impossible is no end of the watching."""
        await source(self.mailbox).run(self.desk)

    async def _taught(self, account: ImapMailbox) -> None:
        """Learn from what people sort, now and then. Whatever fails is tried again the next time."""
        if account.learn is None:
            return
        stopped = threading.Event()
        directory = self._office.settings.state_of() / "bayes/site"
        try:
            while True:
                try:
                    learning = asyncio.to_thread(learn_from, self.desk.mailbox, account, directory, stopped.is_set)
                    if number := await learning:
                        self._log.info("mailbox.learned", mailbox=self.desk.mailbox, count=number)
                except PostroomError as error:
                    self._log.warning("mailbox.unlearned", mailbox=self.desk.mailbox, reason=str(error))
                except Exception as error:
                    reason = f"unexpected {type(error).__name__}"
                    self._log.warning("mailbox.unlearned", mailbox=self.desk.mailbox, reason=reason)
                await asyncio.sleep(account.learn.every.total_seconds())
        finally:
            stopped.set()  # a thread cannot be cancelled: it looks at this

    async def _leased(self) -> bool:
        if not self._alone:
            return True
        try:
            return await self._office.call(self._office.ledger.lease, self._lease, self._office.owner, LEASE)
        except PostroomError:
            self._log.warning("ledger.locked", mailbox=self.desk.mailbox)
            return False
