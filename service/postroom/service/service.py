"""The service of one process, from start to the end of its draining."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from postroom import queue
from postroom.app import make_tools, open_ledger, open_spool, secrets_of
from postroom.desk import Office
from postroom.errors import Permanent, PostroomError, Temporary
from postroom.foresight import Foresight
from postroom.health import Pulse
from postroom.intake import Intake
from postroom.ledger import Ledger, Owner
from postroom.logs import Log
from postroom.metrics.prometheus import Metrics
from postroom.pipeline.tools import ScannerName
from postroom.service.config import Config
from postroom.service.files import Files
from postroom.service.glances import Glances
from postroom.service.mailboxes import Mailboxes
from postroom.service.probes import listening
from postroom.service.seats import Ours, Seats
from postroom.service.threads import attend
from postroom.spool import Spool
from postroom.sweeper import PAUSE, Sweeper, swept
from postroom.systemd import Manager
from postroom.tally import Tally
from postroom.transports import process
from postroom.work import Worker
from postroom.work.claims import Keeper, Labour

DRAIN = 30.0  # seconds for what was begun
LAST = 5.0  # seconds for recording what became of the rest
CALLS = 8  # blocking calls of all desks at a time
BROKER = 10.0  # seconds between looks for a broker that is away
ANEW = 2.0  # seconds until something in the background that ended in an error begins anew
ATTENTION = 1.0  # seconds between looks whether the worker still takes tasks
PATIENCE = 2.0  # seconds that a worker waits for a server to answer: other servers want their mail, too


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
        self._settings = settings = config.settings
        self._log = log
        self._stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._failure: PostroomError | None = None
        attend(self._fail, log, stack)
        self._owner = Owner.current()
        self._manager = Manager()
        self._metrics = Metrics(config.names)
        self._calls = stack.enter_context(ThreadPoolExecutor(CALLS, thread_name_prefix="call"))
        self._files = Files(
            path,
            config,
            calls=self._calls,
            taken=self._taken,
            manager=self._manager,
            metrics=self._metrics,
            log=log,
        )
        self._seats = Seats(self._files)
        state = settings.state_of()
        self.ledger: Ledger = stack.enter_context(open_ledger(settings, state))
        self._spool: Spool = open_spool(settings, state)
        self._app = queue.make_app(settings.queue, self._process)
        self._broker_known = self._know_broker()
        self._bell = queue.Bell(self._app, settings.queue, log, told=self._metrics.rung)
        stack.callback(self._bell.close)
        self._intake = Intake(self.ledger, self._spool, settings.limits.parser, self._ring)
        stack.callback(self._intake.close)
        self._tools = replace(
            make_tools(settings, state, self.ledger, patience=PATIENCE),
            stepped=self._metrics.step,
            replied=self._metrics.smtp_reply,
            away=self._scanner_away,
            addresses=Ours(self._files),
            answers=False,  # whoever brought a message has heard that it is ours
        )
        self._secrets = secrets_of(settings, state)
        keeper = Keeper(self.ledger, log)
        stack.callback(keeper.close)
        worker = Worker(
            ledger=self.ledger,
            spool=self._spool,
            tools=self._tools,
            pipelines=self._seats.pipelines,
            retry=settings.retry,
            log=log,
            plugins=settings.plugins,
            meter=self._metrics,
        )
        self._plans = stack.enter_context(ThreadPoolExecutor(settings.queue.threads, thread_name_prefix="plan"))
        self._foresight = Foresight(
            ledger=self.ledger,
            spool=self._spool,
            tools=self._tools,
            pipelines=self._seats.pipelines,
            home=self._seats.home,
            tally=Tally(state / "planning"),
            log=log,
            crashes=settings.retry.crashes,
            plugins=settings.plugins,
            meter=self._metrics,
        )
        self._labour = Labour(worker, keeper, self._seats.seat, self._worked)
        self._consumer = queue.Consumer(self._app, settings.queue) if works else None
        self._mailboxes = Mailboxes(watches, log)
        self._glances = Glances(self._unsettled, self._mailboxes.wake)
        self._sweeper = self._sweeping(config)
        self.late = False  # an effect goes on that would not end
        self._started = False
        self._pulse = Pulse()
        self._health = listening(
            listen,
            stack,
            metrics=self._metrics,
            ledger=self.ledger,
            spool=self._spool,
            queued=self._queued,
            alive={"loop": self._pulse.check, "worker": self._worker_gone},
            ready={"mailboxes": self._unwatched},
        )

    async def run(self, ready: Callable[[], None]) -> None:
        """Work until a signal comes, then drain. Raises Temporary where it cannot go on and has drained: a supervisor
        is to start it anew; Permanent where that would not help."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stopping.set)
        self._loop.add_signal_handler(signal.SIGHUP, lambda: self._loop.create_task(self._files.reload()))
        if self._consumer is not None:
            await self._loop.run_in_executor(None, self._consumer.start)
        self._mailboxes.follow(self._settings, self._office())
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
            partial(self._files.follow, always=self._settings.reload == "change"),
        ]
        if self._consumer is not None:
            living.append(self._sweep)
        if not self._broker_known:
            living.append(self._await_broker)
        return living

    def _know_broker(self) -> bool:
        """Whether the queue's broker is one that keeps tasks; False where it is away. Raises Permanent.

        One that is away ends nothing: messages are taken meanwhile, and what is due stands in the ledger.
        """
        try:
            queue.check_broker(self._app, self._settings.queue)
        except Temporary as error:
            self._log.warning("queue.unavailable", reason=str(error))
            return False
        return True

    async def _await_broker(self) -> None:
        """Look at it once it is there."""
        try:
            while not await self._loop.run_in_executor(self._calls, self._know_broker):
                await asyncio.sleep(BROKER)
        except Permanent as error:
            self._fail(error)

    async def _drained(self, background: Sequence["asyncio.Task[None]"]) -> None:
        tasks = self._mailboxes.end()
        for task in background:
            task.cancel()
        await asyncio.wait([*tasks, *background], timeout=DRAIN / 2)
        if self._consumer is not None:
            self.late = not await self._loop.run_in_executor(None, self._stopped, self._consumer)

    def _stopped(self, consumer: queue.Consumer) -> bool:
        """Whether all that was begun has come to its end; programs that take too long are killed."""
        if consumer.stop(DRAIN):
            return True
        self._log.warning("service.late")
        process.end_all()
        return consumer.stop(LAST)

    def _taken(self, config: Config) -> None:
        """The operator's files were read anew."""
        self._settings = config.settings
        self._metrics.admit(config.names)
        self._sweeper.heed(retention=config.retention, leaving=config.offered)
        self._mailboxes.follow(config.settings, self._office())

    def _office(self) -> Office:
        return Office(
            settings=self._settings,
            ledger=self.ledger,
            spool=self._spool,
            intake=self._intake,
            calls=self._calls,
            plans=self._plans,
            foresight=self._foresight,
            clock=lambda: datetime.now(UTC),
            secrets=self._secrets,
            owner=self._owner,
            metrics=self._metrics,
            log=self._log,
        )

    # Called by other threads.

    def _ring(self, ids: Sequence[int]) -> None:
        self._bell.ring(ids)
        self._glances.hurry()

    def _process(self, ids: Sequence[int]) -> None:
        self._labour.process(ids)

    def _scanner_away(self, scanner: ScannerName, reason: str) -> None:
        self._metrics.away(scanner)
        self._log.warning("scanner.away", scanner=scanner, reason=reason)

    def _worked(self, mailboxes: Collection[str]) -> None:
        self._bell.answered()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._mailboxes.wake, mailboxes)

    def _fail(self, error: PostroomError | str) -> None:
        """It cannot go on."""
        self._failure = self._failure or (Temporary(error) if isinstance(error, str) else error)
        self._log.warning("service.failed", reason=str(error))
        with suppress(RuntimeError):  # the loop is closed: it ends anyway
            self._loop.call_soon_threadsafe(self._stopping.set)

    # In the background.

    async def _attend(self) -> None:
        """Celery's worker ends without an error, too."""
        while (reason := self._worker_gone()) is None:
            await asyncio.sleep(ATTENTION)
        self._fail(reason)

    async def _lasting(self, work: Callable[[], Awaitable[None]]) -> None:
        """Begin anew what ended in an error: a bug of ours, and nobody else would notice."""
        while True:
            try:
                return await work()
            except Exception as error:
                self._log.warning("service.failed", reason=f"unexpected {type(error).__name__}")
            await asyncio.sleep(ANEW)

    async def _unsettled(self) -> Collection[str]:
        return await self._loop.run_in_executor(self._calls, self.ledger.unsettled_mailboxes)

    async def _sweep(self) -> None:
        while True:
            await self._loop.run_in_executor(self._calls, swept, self._sweeper, self._log)
            await asyncio.sleep(PAUSE)

    def _sweeping(self, config: Config) -> Sweeper:
        line = self._settings.queue
        return Sweeper(
            self.ledger,
            self._spool,
            self._bell,
            self._log,
            owner=self._owner,
            retention=config.retention,
            leaving=config.offered,
            backlog=self._queued,
            batch=line.batch,
            volatile=line.url == "memory://",
        )

    # What health checks ask.

    def _queued(self) -> int:
        return queue.length(self._app, self._settings.queue)

    def _worker_gone(self) -> str | None:
        gone = self._consumer is not None and self._started and not self._consumer.alive
        return "the worker takes no tasks any more" if gone else None

    def _unwatched(self) -> str | None:
        if not self._started:
            return "not begun yet"
        ended = self._mailboxes.unwatched()
        return f"nobody watches {', '.join(ended)}" if ended else None
