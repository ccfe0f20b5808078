"""The running service: watchers, worker and sweeper of one process, from start to the end of its draining."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from postroom import queue
from postroom.app import home, make_tools, open_ledger, open_spool, secrets_of
from postroom.desk import MailboxDesk, Office
from postroom.errors import Misconfigured, Permanent, PostroomError, Temporary
from postroom.foresight import Foresight
from postroom.health import Check, Health, Pulse
from postroom.intake import Intake
from postroom.ledger import Arrival, Ledger, Owner, Retention, Row
from postroom.logs import Log
from postroom.metrics.prometheus import Metrics, Names
from postroom.metrics.standing import Questions
from postroom.pipeline.pipeline import Pipeline
from postroom.pipeline.tools import ScannerName
from postroom.pipeline.view import Home
from postroom.settings import Settings, load, load_pipelines
from postroom.spool import Spool
from postroom.sweeper import PAUSE, Sweeper, swept
from postroom.systemd import Manager
from postroom.transports import process
from postroom.watch import Leases, Watcher
from postroom.work import Seat, Worker
from postroom.work.claims import Keeper, Labour

DRAIN = 30.0  # seconds for what was begun
LAST = 5.0  # seconds for recording what became of the rest
CALLS = 8  # blocking calls of all desks at a time
BROKER = 10.0  # seconds between looks for a broker that is away
TELL = 2.0  # seconds between reports to the ledger
GLANCE = 0.5  # seconds between looks for what another process has done
PATIENCE = 2.0  # seconds that a worker waits for a server to answer: other servers want their mail, too
# A change of these takes a restart.
_FIXED = tuple(name for name in Settings.model_fields if name not in ("mailboxes", "pipelines", "defaults"))


@dataclass(kw_only=True)
class Config:
    """What was read from the operator's files; replaced as a whole when they are read anew."""

    settings: Settings
    rules: Mapping[str, Pipeline]


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
        settings = config.settings
        self._config = config
        self._path = path
        self._log = log
        self._names = None if watches is None else frozenset(watches)
        self._owner = Owner.current()
        self._stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        state = settings.state_of()
        self.ledger: Ledger = stack.enter_context(open_ledger(settings, state))
        self._spool: Spool = open_spool(settings, state)
        self._app = queue.make_app(settings.queue, self._process)
        self._broker_known = self._know_broker()
        self._metrics = Metrics(names(config))
        self._bell = queue.Bell(self._app, settings.queue, log, told=self._metrics.rung)
        stack.callback(self._bell.close)
        self._intake = Intake(self.ledger, self._spool, settings.limits.parser, self._bell.ring)
        stack.callback(self._intake.close)
        self._calls = stack.enter_context(ThreadPoolExecutor(CALLS, thread_name_prefix="call"))
        self._tools = replace(
            make_tools(settings, state, self.ledger, patience=PATIENCE),
            stepped=self._metrics.step,
            replied=self._metrics.smtp_reply,
            away=self._scanner_away,
            answers=False,  # whoever brought a message has heard that it is ours
        )
        self._secrets = secrets_of(settings, state)
        keeper = Keeper(self.ledger, log)
        stack.callback(keeper.close)
        worker = Worker(
            ledger=self.ledger,
            spool=self._spool,
            tools=self._tools,
            pipelines=self._pipelines,
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
            pipelines=self._pipelines,
            home=self._home,
            plugins=settings.plugins,
            meter=self._metrics,
        )
        self._labour = Labour(worker, keeper, self._seat, self._worked)
        self._consumer = queue.Consumer(self._app, settings.queue) if works else None
        self._leases = Leases()
        self._watchers: dict[str, tuple[Watcher, asyncio.Task[None]]] = {}
        self._ending: dict[str, list[asyncio.Task[None]]] = {}
        self.late = False  # an effect goes on that would not end
        self._started = False
        self._manager = Manager()
        self._pulse = Pulse()
        self._health = self._listening(listen, stack)

    async def run(self, ready: Callable[[], None]) -> None:
        """Work until a signal comes, then drain."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stopping.set)
        self._loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        if self._consumer is not None:
            await self._loop.run_in_executor(None, self._consumer.start)
        self._watch_all()
        self._started = True
        living: list[Callable[[], Awaitable[None]]] = [
            self._glance,
            self._report,
            self._pulse.run,
            partial(self._manager.keep_alive, lambda: self._worker_gone() is None),
        ]
        if self._consumer is not None:
            living.append(self._sweep)
        if self._config.settings.reload == "change":
            living.append(self._follow)
        if not self._broker_known:
            living.append(self._await_broker)
        background = [asyncio.create_task(self._lasting(each)) for each in living]
        if self._health is not None:
            self._log.info("service.started", listen=self._health.address)
        else:
            self._log.info("service.started")
        self._manager.ready(f"{len(self._watchers)} mailboxes")
        ready()
        await self._stopping.wait()
        self._log.info("service.draining")
        self._manager.stopping("finishing what was begun")
        await self._drained(background)
        self._log.info("service.stopped")

    def _know_broker(self) -> bool:
        """Whether the queue's broker is one that keeps tasks; False where it is away. Raises Permanent.

        One that is away ends nothing: messages are taken meanwhile, and what is due stands in the ledger.
        """
        try:
            queue.check_broker(self._app, self._config.settings.queue)
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
            self._log.warning("service.failed", reason=str(error))
            self._stopping.set()
        await self._stopping.wait()

    async def _drained(self, background: Sequence["asyncio.Task[None]"]) -> None:
        tasks = [task for _, task in self._watchers.values()]
        for task in (*tasks, *background):
            task.cancel()
        tasks += [task for name in self._ending for task in self._going(name)]
        if tasks or background:
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

    # Mailboxes.

    def _watch_all(self) -> None:
        """Begin with mailboxes that are new or changed, end with those that are not there any more."""
        settings = self._config.settings
        wanted = {
            name: mailbox
            for name, mailbox in settings.mailboxes.items()
            if mailbox.kind != "stdin" and (self._names is None or name in self._names)
        }
        for name, (watcher, task) in list(self._watchers.items()):
            if wanted.get(name) != watcher.mailbox or settings.pipeline_of(name) != watcher.desk.pipeline:
                task.cancel()
                self._ending[name] = [*self._going(name), task]
                del self._watchers[name]
        office = self._office()
        for name, mailbox in wanted.items():
            if name not in self._watchers:
                watcher = Watcher(mailbox, MailboxDesk(name, office), office, self._leases, self._log)
                running = watcher.run(after=self._going(name))
                self._watchers[name] = (watcher, asyncio.create_task(running, name=f"mailbox {name}"))

    def _going(self, name: str) -> list["asyncio.Task[None]"]:
        """Earlier watchers of a mailbox that have not come to their end yet."""
        return [task for task in self._ending.get(name, ()) if not task.done()]

    def _office(self) -> Office:
        return Office(
            settings=self._config.settings,
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

    # The worker's side; called in its threads.

    def _process(self, ids: Sequence[int]) -> None:
        self._labour.process(ids)

    def _pipelines(self, name: str) -> Mapping[str, Pipeline]:
        rules = self._config.rules
        if name not in rules:
            raise Temporary(f"there is no pipeline `{name}` any more; write it anew, or drop its messages")
        return rules

    def _seat(self, row: Row) -> Seat:
        mailbox = self._config.settings.mailboxes.get(row.mailbox)
        if mailbox is None:
            raise Temporary(f"the mailbox `{row.mailbox}` is not in the settings any more")
        relays = mailbox.kind == "listener" and row.store is None
        return Seat(home(mailbox, row.store), mailbox.is_settled_by, bounces=relays)

    def _home(self, mailbox: str, arrival: Arrival) -> Home:
        return home(self._config.settings.mailboxes[mailbox], arrival.store)

    def _scanner_away(self, scanner: ScannerName, reason: str) -> None:
        self._metrics.away(scanner)
        self._log.warning("scanner.away", scanner=scanner, reason=reason)

    def _worked(self, mailboxes: Collection[str]) -> None:
        self._bell.answered()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._wake, mailboxes)

    def _wake(self, mailboxes: Collection[str]) -> None:
        for name in mailboxes:
            if name in self._watchers:
                self._watchers[name][0].desk.progress.ring()

    # In the background.

    async def _lasting(self, work: Callable[[], Awaitable[None]]) -> None:
        """Begin anew what ended in an error: a bug of ours, and nobody else would notice."""
        while True:
            try:
                return await work()
            except Exception as error:
                self._log.warning("service.failed", reason=f"unexpected {type(error).__name__}")
            await asyncio.sleep(TELL)

    async def _glance(self) -> None:
        """What other processes have done is in the ledger."""
        while True:
            await asyncio.sleep(GLANCE)
            with suppress(PostroomError):
                self._wake(await self._loop.run_in_executor(self._calls, self.ledger.unsettled_mailboxes))

    async def _report(self) -> None:
        told: dict[str, object] = {}
        while True:
            # Who waits for another's lease has seen nothing.
            seen = [watcher.desk.seen for watcher, _ in self._watchers.values() if watcher.holds]
            fresh = [one for one in seen if told.get(one.mailbox) != one]
            with suppress(PostroomError):
                await self._loop.run_in_executor(self._calls, self.ledger.tell, fresh)
                told.update({one.mailbox: one for one in fresh})
            await asyncio.sleep(TELL)

    async def _sweep(self) -> None:
        settings = self._config.settings
        sweeper = Sweeper(
            self.ledger,
            self._spool,
            self._bell,
            self._log,
            owner=self._owner,
            retention=retention(settings),
            leaving=[name for name, one in settings.mailboxes.items() if one.kind == "stdin"],
            backlog=lambda: queue.length(self._app, settings.queue),
            batch=settings.queue.batch,
            volatile=settings.queue.url == "memory://",
        )
        while True:
            await self._loop.run_in_executor(self._calls, swept, sweeper, self._log)
            await asyncio.sleep(PAUSE)

    # Being seen.

    def _listening(self, listen: str | None, stack: ExitStack) -> Health | None:
        """The HTTP server for Prometheus and health checks, until the stack ends."""
        if listen is None:
            return None
        self._metrics.ask(
            Questions(
                counts=self.ledger.counts,
                backlogs=self.ledger.backlogs,
                queue=lambda: queue.length(self._app, self._config.settings.queue),
                free=self._spool.free,
            )
        )
        alive: dict[str, Check] = {"loop": self._pulse.check, "worker": self._worker_gone}
        ready: dict[str, Check] = {
            "ledger": self._ledger_away,
            "queue": self._queue_away,
            "mailboxes": self._unwatched,
        }
        health = Health(listen, metrics=self._metrics.page, alive=alive, ready=alive | ready)
        health.start()
        stack.callback(health.stop)
        return health

    def _worker_gone(self) -> str | None:
        gone = self._consumer is not None and self._started and not self._consumer.alive
        return "the worker takes no tasks any more" if gone else None

    def _ledger_away(self) -> str | None:
        self.ledger.watched()
        return None

    def _queue_away(self) -> str | None:
        queue.length(self._app, self._config.settings.queue)
        return None

    def _unwatched(self) -> str | None:
        ended = [name for name, (_, task) in list(self._watchers.items()) if task.done()]
        if not self._started:
            return "not begun yet"
        return f"nobody watches {', '.join(ended)}" if ended else None

    # Reading the files anew.

    def _hang_up(self) -> None:
        self._loop.create_task(self.reload())

    async def _follow(self) -> None:
        """Read the files anew when they have changed, and then stayed the same for a moment."""
        taken = seen = await self._loop.run_in_executor(self._calls, self._stamps)
        while True:
            await asyncio.sleep(TELL)
            before, seen = seen, await self._loop.run_in_executor(self._calls, self._stamps)
            if seen == before and seen != taken:
                taken = seen
                await self.reload()

    def _stamps(self) -> dict[Path, tuple[int, int]]:
        settings = self._config.settings
        found = {}
        for path in (settings.file, *settings.pipelines.glob("*.yaml")):
            with suppress(OSError):  # it is being replaced
                status = path.stat()
                found[path] = (status.st_mtime_ns, status.st_size)
        return found

    async def reload(self) -> bool:
        """Take what stands in the files now; where that is broken, the old goes on and the log says so."""
        self._manager.reloading()
        taken = await self._reloaded()
        self._metrics.reloaded(ok=taken)
        self._manager.ready("" if taken else "the files on disk are broken: an older configuration is used")
        return taken

    async def _reloaded(self) -> bool:
        try:
            config = await self._loop.run_in_executor(None, read, self._path)
        except PostroomError as error:
            reason = error.problems[0] if isinstance(error, Misconfigured) and error.problems else error
            self._log.warning("config.refused", reason=str(reason))
            return False
        old, new = self._config.settings, config.settings
        if changed := [name for name in _FIXED if getattr(old, name) != getattr(new, name)]:
            self._log.warning("config.refused", reason=f"a change of {', '.join(changed)} takes a restart")
            config.settings = new.model_copy(update={name: getattr(old, name) for name in changed})
            config.settings._source = new.source
        self._config = config
        self._metrics.admit(names(config))
        self._watch_all()
        self._log.info("config.loaded")
        return True


def read(path: Path | None) -> Config:
    """Settings and all pipelines of their mailboxes. Raises Misconfigured."""
    settings = load(path)
    return Config(settings=settings, rules=load_pipelines(settings))


def names(config: Config) -> Names:
    """All that may become a label."""
    pipelines = {name: frozenset(rule.name for rule in pipeline.rules) for name, pipeline in config.rules.items()}
    mailboxes, servers = frozenset(config.settings.mailboxes), frozenset(config.settings.servers)
    return Names(mailboxes=mailboxes, servers=servers, pipelines=pipelines)


def retention(settings: Settings) -> Retention:
    """How long what has ended is kept; sources that list what they hold have their keys remembered longer."""
    kinds = {name: mailbox.kind for name, mailbox in settings.mailboxes.items()}
    listing = frozenset(name for name, kind in kinds.items() if kind in ("imap", "pop3", "maildir"))
    # Only IMAP has a cursor. Old mail that lies in a Maildir must stay known however long it lies there.
    fading = frozenset(name for name, kind in kinds.items() if kind == "imap")
    return Retention(
        settled=settings.retention.settled, dead=settings.retention.dead, identities=listing, fading=fading
    )


def watched(settings: Settings, only: Collection[str]) -> frozenset[str]:
    """The mailboxes to watch: those named, or all but standard input. Raises Permanent."""
    known = {name for name, mailbox in settings.mailboxes.items() if mailbox.kind != "stdin"}
    if unknown := sorted(set(only) - known):
        raise Permanent(f"no mailbox `{unknown[0]}` can be watched; there are: {', '.join(sorted(known)) or 'none'}")
    return frozenset(only or known)
