"""A mailbox's desk in a process beside the service: what it takes is worked on by the service's workers."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime

from postroom import queue
from postroom.app import open_ledger, open_spool, secrets_of
from postroom.desk import MailboxDesk, Office
from postroom.intake import Intake
from postroom.ledger import Ledger, Owner
from postroom.logs import StandardError
from postroom.metrics.prometheus import Metrics
from postroom.settings import Settings


def opened(settings: Settings, mailbox: str, stack: ExitStack) -> MailboxDesk:
    """The mailbox's desk in this process; workers are told as those of the settings can be."""
    state = settings.state_of()
    ledger = stack.enter_context(open_ledger(settings, state))
    spool = open_spool(settings, state)
    log = StandardError(format=settings.logs.format, level="warning")
    intake = Intake(ledger, spool, settings.limits.parser, _ring(settings, ledger, log, stack))
    stack.callback(intake.close)
    office = Office(
        settings=settings,
        ledger=ledger,
        spool=spool,
        intake=intake,
        calls=stack.enter_context(ThreadPoolExecutor(2)),
        clock=lambda: datetime.now(UTC),
        secrets=secrets_of(settings, state),
        owner=Owner.current(),
        metrics=Metrics(),
        log=log,
    )
    return MailboxDesk(mailbox, office)


def _ring(settings: Settings, ledger: Ledger, log: StandardError, stack: ExitStack) -> Callable[[Sequence[int]], None]:
    if settings.queue.url == "memory://":
        return ledger.unring  # the queue is another process's: its sweeper is to ring
    bell = queue.Bell(
        queue.make_app(settings.queue, lambda ids: None), settings.queue, log, told=lambda reason, number: None
    )
    stack.callback(bell.close)
    return bell.ring
