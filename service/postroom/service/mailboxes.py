"""The mailboxes that this process watches: begun, changed and ended as the settings say."""

import asyncio
from collections.abc import Collection
from contextlib import suppress

from postroom.desk import MailboxDesk, Office
from postroom.errors import PostroomError
from postroom.ledger import Ledger, Watched
from postroom.ledger.owner import runs_beside
from postroom.logs import Log
from postroom.settings import Settings
from postroom.watch import Leases, Watcher

TELL = 2.0  # seconds between reports to the ledger


class Mailboxes:
    """`only`: these; None: all, also those that a reload brings."""

    def __init__(self, only: Collection[str] | None, log: Log) -> None:
        self._only = None if only is None else frozenset(only)
        self._log = log
        self._leases = Leases()
        self._watchers: dict[str, tuple[Watcher, asyncio.Task[None]]] = {}
        self._ending: dict[str, list[asyncio.Task[None]]] = {}

    def __len__(self) -> int:
        return len(self._watchers)

    def follow(self, settings: Settings, office: Office) -> None:
        """Begin with those that are new or changed, end with those that are not there any more."""
        wanted = {
            name: mailbox
            for name, mailbox in settings.mailboxes.items()
            if mailbox.kind != "stdin" and (self._only is None or name in self._only)
        }
        for name, (watcher, task) in list(self._watchers.items()):
            if wanted.get(name) != watcher.mailbox or settings.pipeline_of(name) != watcher.desk.pipeline:
                task.cancel()
                self._ending[name] = [*self._going(name), task]
                del self._watchers[name]
        for name, mailbox in wanted.items():
            if name not in self._watchers:
                watcher = Watcher(mailbox, MailboxDesk(name, office), office, self._leases, self._log)
                running = watcher.run(after=self._going(name))
                self._watchers[name] = (watcher, asyncio.create_task(running, name=f"mailbox {name}"))

    def wake(self, names: Collection[str]) -> None:
        """Work on messages of these went on."""
        for name in names:
            if name in self._watchers:
                self._watchers[name][0].desk.progress.ring()

    def unwatched(self) -> Collection[str]:
        """Those whose watching has ended though nobody wanted it to."""
        return [name for name, (_, task) in list(self._watchers.items()) if task.done()]

    async def report(self, office: Office) -> None:
        """Tell the ledger what is seen, whenever it changes, until cancelled."""
        told: dict[str, Watched] = {}
        while True:
            # Who waits for another's lease has seen nothing.
            watchers = [watcher for watcher, _ in self._watchers.values() if watcher.holds]
            fresh = [one.desk.seen for one in watchers if told.get(one.desk.mailbox) != one.desk.seen]
            waiting = {one.desk.mailbox for one in watchers if one.waits_for_address}
            with suppress(PostroomError):
                if waiting:
                    served = await office.call(served_beside, office.ledger, waiting)
                    fresh = [one for one in fresh if one.mailbox not in served]
                await office.call(office.ledger.tell, fresh)
                told.update({one.mailbox: one for one in fresh})
            await asyncio.sleep(TELL)

    def end(self) -> "list[asyncio.Task[None]]":
        """Ask all to end; the tasks in which they do."""
        for _, task in self._watchers.values():
            task.cancel()
        return [task for _, task in self._watchers.values()] + [
            one for name in self._ending for one in self._going(name)
        ]

    def _going(self, name: str) -> "list[asyncio.Task[None]]":
        """Earlier watchers of a mailbox that have not come to their end yet."""
        return [task for task in self._ending.get(name, ()) if not task.done()]


def served_beside(ledger: Ledger, mailboxes: Collection[str]) -> frozenset[str]:
    """Those of them that another process of this machine listens for."""
    rows = [row for row in ledger.watched() if row.mailbox in mailboxes]
    return frozenset(row.mailbox for row in rows if row.connected and runs_beside(row.owner))
