"""Watching one mailbox: hold its lease, run its source, and begin anew when that ends."""

import asyncio
import random
import threading
from collections.abc import Collection
from contextlib import suppress
from datetime import timedelta

from postroom.desk import MailboxDesk, Office
from postroom.errors import Permanent, PostroomError
from postroom.lessons import learn_from
from postroom.logs import Log
from postroom.settings.mailboxes import ImapMailbox, Mailbox
from postroom.sources import source

LEASE = timedelta(seconds=60)
RENEWAL = LEASE.total_seconds() / 4
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
HOPELESS_WAIT = 300.0  # until what an operator has to mend is tried again; a reload does so at once


class Leases:
    """Renews the leases of one process: those that fall due together share a commit, however many they are."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[bool]] = {}
        self._renewing: asyncio.Task[None] | None = None

    async def renew(self, name: str, office: Office) -> bool:
        """Whether the lease is ours still. Raises Temporary."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[name] = answer
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew(office), name="leases")
        return await answer

    async def _renew(self, office: Office) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, {}
            answers = await asyncio.gather(
                office.call(office.ledger.prolong, tuple(waiting), office.owner, LEASE), return_exceptions=True
            )
            _answer(waiting, answers[0])
        self._renewing = None


def _answer(waiting: "dict[str, asyncio.Future[bool]]", held: Collection[str] | BaseException) -> None:
    for name, future in waiting.items():
        if future.done():
            continue  # nobody waits for it any more
        if isinstance(held, BaseException):
            future.set_exception(held)
        else:
            future.set_result(name in held)


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
        keeping = asyncio.create_task(self._kept(), name=f"lease {self.desk.mailbox}")
        others = {keeping}
        if isinstance(self.mailbox, ImapMailbox) and self.mailbox.learn is not None:
            others.add(asyncio.create_task(self._taught(self.mailbox), name=f"learning {self.desk.mailbox}"))
        try:
            await asyncio.wait({running, keeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (running, *others):
                task.cancel()
            await asyncio.wait({running, *others})
        error = None if running.cancelled() else running.exception()
        if running.cancelled() or error is None:
            self.holds = keeping.cancelled()
            self.desk.lost("stopped" if self.holds else "lease")
            self._office.metrics.unwatched(self.desk.mailbox)
            self._log.warning("mailbox.lease", mailbox=self.desk.mailbox)
            return FIRST_WAIT
        self.desk.lost("protocol")
        reason = str(error) if isinstance(error, PostroomError) else f"unexpected {type(error).__name__}"
        self._log.warning("mailbox.lost", mailbox=self.desk.mailbox, reason=reason)
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

    async def _kept(self) -> None:
        """Renew the lease; return when it is lost, or could not be renewed until it ran out."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LEASE.total_seconds()
        while loop.time() < until:
            await due()
            if not self._alone:
                until = loop.time() + LEASE.total_seconds()
                continue
            try:
                asked = loop.time()
                if not await self._leases.renew(self._lease, self._office):
                    return
                until = asked + LEASE.total_seconds()
            except PostroomError:
                self._log.warning("ledger.locked", mailbox=self.desk.mailbox)
