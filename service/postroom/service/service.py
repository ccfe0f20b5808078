"""The service of one process, from start to the end of its draining."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from postroom.desk import Office
from postroom.errors import PostroomError, Temporary
from postroom.health import Pulse
from postroom.logs import Log
from postroom.metrics.prometheus import Metrics
from postroom.service.config import Config
from postroom.service.files import Files
from postroom.service.glances import Glances
from postroom.service.mailboxes import Mailboxes
from postroom.service.probes import listening
from postroom.service.seats import Seats
from postroom.service.threads import attend
from postroom.service.workshop import DRAIN, Workshop
from postroom.sweeper import PAUSE, swept
from postroom.systemd import Manager

CALLS = 8  # blocking calls of all desks at a time
ANEW = 2.0  # seconds until something in the background that ended in an error begins anew
ATTENTION = 1.0  # seconds between looks whether the worker still takes tasks


class Service:
    """`watches`: the mailboxes it watches; None: all, also those that a reload brings. `works`: whether it has a
    worker. `listen`: where metrics are."""

    def __init__(
        self,
        config: Config,
        *,
        path: Path | None,
        watches: Collection[str] | None,
        works: bool,
        listen: str | None,
        log: Log,
        stack: ExitStack,
    ) -> None:
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._failure: PostroomError | None = None
        self.late = False  # an effect goes on that would not end
        self._started = False
        attend(self._fail, log, stack)
        self._manager = Manager()
        self._metrics = Metrics(config.names)
        self._calls = ThreadPoolExecutor(CALLS, thread_name_prefix="call")
        self._plans = ThreadPoolExecutor(config.settings.queue.threads, thread_name_prefix="plan")
        self._files = Files(
            path,
            config,
            calls=self._calls,
            taken=self._taken,
            manager=self._manager,
            metrics=self._metrics,
            log=log,
        )
        self._mailboxes = Mailboxes(watches, log)
        self._glances = Glances(self._unsettled, self._mailboxes.wake)
        self._shop = Workshop(
            config,
            Seats(self._files),
            works=works,
            rung=self._glances.hurry,
            worked=self._worked,
            metrics=self._metrics,
            log=log,
            stack=stack,
        )
        for calls in (self._calls, self._plans):
            stack.enter_context(calls)  # after the ledger, so that they end before it is closed
        self._pulse = Pulse()
        self._health = listening(
            listen,
            stack,
            metrics=self._metrics,
            ledger=self._shop.ledger,
            spool=self._shop.spool,
            queued=self._shop.broker.queued,
            alive={"loop": self._pulse.check, "worker": self._shop.worker_gone},
            ready={"mailboxes": self._unwatched},
        )

    async def run(self, ready: Callable[[], None]) -> None:
        """Work until a signal comes, then drain. Raises Temporary where it cannot go on and has drained: a supervisor
        is to start it anew; Permanent where that would not help."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stopping.set)
        self._loop.add_signal_handler(signal.SIGHUP, lambda: self._loop.create_task(self._files.reload()))
        self._shop.start()
        self._mailboxes.follow(self._files.current.settings, self._office())
        self._started = True
        background = [asyncio.create_task(self._lasting(each)) for each in self._living()]
        if self._health is not None:
            self._log.info("service.started", listen=self._health.address)
        else:
            self._log.info("service.started")
        self._manager.ready(f"{len(self._mailboxes)} mailboxes")
        ready()
        await self._stopping.wait()
        self._log.info("service.draining")
        self._manager.stopping("finishing what was begun")
        await self._drained(background)
        self._log.info("service.stopped")
        if self._failure is not None:
            raise self._failure

    def _living(self) -> list[Callable[[], Awaitable[None]]]:
        """What goes on in the background until the end."""
        living: list[Callable[[], Awaitable[None]]] = [
            self._glances.run,
            partial(self._mailboxes.report, self._office()),
            self._pulse.run,
            self._manager.keep_alive,
            self._attend,
            partial(self._files.follow, always=self._files.current.settings.reload == "change"),
            partial(self._shop.broker.run, self._calls, self._fail),
        ]
        return [*living, self._sweep] if self._shop.works else living

    async def _drained(self, background: Sequence["asyncio.Task[None]"]) -> None:
        tasks = self._mailboxes.end()
        for task in background:
            task.cancel()
        await asyncio.wait([*tasks, *background], timeout=DRAIN / 2)
        self.late = not await self._loop.run_in_executor(None, self._shop.stop)

    def _office(self) -> Office:
        shop = self._shop
        return Office(
            settings=self._files.current.settings,
            ledger=shop.ledger,
            spool=shop.spool,
            intake=shop.intake,
            calls=self._calls,
            plans=self._plans,
            foresight=shop.foresight,
            clock=lambda: datetime.now(UTC),
            secrets=shop.secrets,
            owner=shop.owner,
            metrics=self._metrics,
            log=self._log,
        )

    def _taken(self, config: Config) -> None:
        """The operator's files were read anew."""
        self._metrics.admit(config.names)
        self._shop.sweeper.heed(retention=config.retention, leaving=config.offered)
        self._mailboxes.follow(config.settings, self._office())

    def _unwatched(self) -> str | None:
        if not self._started:
            return "not begun yet"
        ended = self._mailboxes.unwatched()
        return f"nobody watches {', '.join(ended)}" if ended else None

    # Called by any thread.

    def _worked(self, mailboxes: Collection[str]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._mailboxes.wake, mailboxes)

    def _fail(self, error: PostroomError | str) -> None:
        """It cannot go on."""
        self._failure = self._failure or (Temporary(error) if isinstance(error, str) else error)
        self._log.warning("service.failed", reason=str(error))
        with suppress(RuntimeError):  # the loop is closed: it ends anyway
            self._loop.call_soon_threadsafe(self._stopping.set)

    # In the background.

    async def _lasting(self, work: Callable[[], Awaitable[None]]) -> None:
        """Begin anew what ended in an error: a bug of ours, and nobody else would notice."""
        while True:
            try:
                return await work()
            except Exception as error:
                self._log.warning("service.failed", reason=f"unexpected {type(error).__name__}")
            await asyncio.sleep(ANEW)

    async def _attend(self) -> None:
        """Celery's worker ends without an error, too."""
        while (reason := self._shop.worker_gone()) is None:
            await asyncio.sleep(ATTENTION)
        self._fail(reason)

    async def _unsettled(self) -> Collection[str]:
        return await self._loop.run_in_executor(self._calls, self._shop.ledger.unsettled_mailboxes)

    async def _sweep(self) -> None:
        while True:
            await self._loop.run_in_executor(self._calls, swept, self._shop.sweeper, self._log)
            await asyncio.sleep(PAUSE)
