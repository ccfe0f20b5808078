"""All that work on messages takes, made from the settings of the start: a change of most takes a restart."""

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import replace

from postroom import queue
from postroom.app import make_tools, open_ledger, open_spool, secrets_of
from postroom.foresight import Foresight
from postroom.intake import Intake
from postroom.ledger import Ledger, Owner
from postroom.logs import Log
from postroom.metrics.prometheus import Metrics
from postroom.service.absences import Absences
from postroom.service.broker import Broker
from postroom.service.config import Config
from postroom.service.consumer import Consumer
from postroom.service.seats import Seats
from postroom.spool import Spool
from postroom.sweeper import Sweeper
from postroom.tally import Tally
from postroom.transports import process
from postroom.work import Worker
from postroom.work.claims import Keeper, Labour

PATIENCE = 2.0  # seconds that a worker waits for a server to answer: other servers want their mail, too
DRAIN = 30.0  # seconds for what was begun
LAST = 5.0  # seconds for recording what became of the rest


class Workshop:
    """Ledger, spool, queue, and whoever works there. In other threads `rung` hears that workers were told of messages,
    and `worked` for which mailboxes something was done. `works`: whether there is a worker here."""

    def __init__(
        self,
        config: Config,
        seats: Seats,
        *,
        works: bool,
        rung: Callable[[], None],
        worked: Callable[[Collection[str]], None],
        metrics: Metrics,
        log: Log,
        stack: ExitStack,
    ) -> None:
        settings, state = config.settings, config.settings.state_of()
        self._log = log
        self._rung, self._told = rung, worked
        self._alone = settings.queue.url == "memory://"
        self.owner = Owner.current()
        self.secrets = secrets_of(settings, state)
        self.ledger: Ledger = stack.enter_context(open_ledger(settings, state))
        self.spool: Spool = open_spool(settings, state)
        tools = replace(
            make_tools(settings, state, self.ledger, patience=PATIENCE),
            stepped=metrics.step,
            replied=metrics.smtp_reply,
            away=Absences(metrics.away, log).away,
            addresses=seats.addresses,
            new_stores=seats.new_stores,
            answers=False,  # whoever brought a message has heard that it is ours
        )
        keeper = Keeper(self.ledger, log)
        stack.callback(keeper.close)
        worker = Worker(
            ledger=self.ledger,
            spool=self.spool,
            tools=tools,
            pipelines=seats.pipelines,
            retry=settings.retry,
            log=log,
            plugins=settings.plugins,
            meter=metrics,
        )
        labour = Labour(worker, keeper, seats.seat, self._worked)
        app = queue.make_app(settings.queue, labour.process)
        self.broker = Broker(app, settings.queue, log)
        self._bell = queue.Bell(app, settings.queue, log, told=metrics.rung)
        stack.callback(self._bell.close)
        self.intake = Intake(self.ledger, self.spool, settings.limits.parser, self._ring)
        stack.callback(self.intake.close)
        self.foresight = Foresight(
            ledger=self.ledger,
            spool=self.spool,
            tools=tools,
            pipelines=seats.pipelines,
            home=seats.home,
            tally=Tally(state / "planning"),
            log=log,
            crashes=settings.retry.crashes,
            plugins=settings.plugins,
            meter=metrics,
        )
        self.sweeper = Sweeper(
            self.ledger,
            self.spool,
            self._bell,
            log,
            owner=self.owner,
            retention=config.retention,
            leaving=config.offered,
            backlog=self.broker.queued,
            batch=settings.queue.batch,
            volatile=self._alone,
        )
        self._consumer = Consumer(app, settings.queue) if works else None
        self.works = works
        self._started = False

    def start(self) -> None:
        """Take tasks from here on."""
        if self._consumer is not None:
            self._consumer.start()
        self._started = True

    def stop(self) -> bool:
        """Whether all that was begun has come to its end; programs that take too long are killed."""
        if self._consumer is None or self._consumer.stop(DRAIN):
            return True
        self._log.warning("service.late")
        process.end_all()
        return self._consumer.stop(LAST)

    def worker_gone(self) -> str | None:
        """What is wrong with the worker."""
        gone = self._consumer is not None and self._started and not self._consumer.alive
        return "the worker takes no tasks any more" if gone else None

    # Called by other threads.

    def _ring(self, ids: Sequence[int]) -> None:
        self._bell.ring(ids)
        if not self._alone:  # else its own worker says what it has done
            self._rung()

    def _worked(self, mailboxes: Collection[str]) -> None:
        self._bell.answered()
        self._told(mailboxes)
