"""What Prometheus and health checks are told of the running service."""

from collections.abc import Callable
from contextlib import ExitStack

from postroom.health import Check, Health
from postroom.ledger import Ledger
from postroom.metrics.prometheus import Metrics
from postroom.metrics.standing import Questions
from postroom.spool import Spool


def listening(
    listen: str | None,
    stack: ExitStack,
    *,
    metrics: Metrics,
    ledger: Ledger,
    spool: Spool,
    queued: Callable[[], int],
    alive: dict[str, Check],
    ready: dict[str, Check],
) -> Health | None:
    """The HTTP server, until the stack ends. `queued`: tasks that nobody has taken. Who is not alive is not ready."""
    if listen is None:
        return None

    def ledger_away() -> None:
        ledger.watched()

    def queue_away() -> None:
        queued()

    metrics.ask(Questions(counts=ledger.counts, backlogs=ledger.backlogs, queue=queued, free=spool.free))
    checks: dict[str, Check] = {"ledger": ledger_away, "queue": queue_away}
    health = Health(listen, metrics=metrics.page, alive=alive, ready=alive | checks | ready)
    health.start()
    stack.callback(health.stop)
    return health
