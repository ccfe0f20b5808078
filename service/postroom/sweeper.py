"""The sweeper: rings for what is due and nobody works on, and puts an end to what is over."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from time import monotonic, time

from postroom.errors import PostroomError
from postroom.ledger import Ledger, Owner, Retention
from postroom.logs import Log
from postroom.queue import Bell
from postroom.spool import Spool, collect_orphans

PAUSE = 2.0  # seconds between sweeps
PATIENCE = timedelta(seconds=60)  # a ring that nobody answered by then is rung again
MARGIN = timedelta(seconds=0.1)  # what was rung for in the first sweep is not old
MOST = 1000  # rings in one sweep
BACKLOG = 2000  # tasks in the queue above which none is added
TIDY = timedelta(hours=1)
ROUNDS = 20
LEASE = timedelta(seconds=30)
AHEAD, BACK = 60.0, -1.0  # seconds by which the clock was set
CALM = 120.0  # seconds in which all who work have renewed their leases


class Clock:
    """Compares the clock with one that nobody can set, and that stands still while the machine sleeps."""

    def __init__(self, *, clock: Callable[[], float] = time, steady: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._steady = steady
        self._ahead = clock() - steady()

    def leapt(self) -> float:
        """Seconds by which it was set since this was asked last."""
        before, self._ahead = self._ahead, self._clock() - self._steady()
        return self._ahead - before


class Sweeper:
    """One sweep at a time over all processes: who holds the lease sweeps."""

    def __init__(
        self,
        ledger: Ledger,
        spool: Spool,
        bell: Bell,
        log: Log,
        *,
        owner: Owner,
        retention: Retention,
        leaving: Collection[str],
        backlog: Callable[[], int],
        batch: int,
        volatile: bool,
        clock: Clock | None = None,
    ) -> None:
        self._ledger = ledger
        self._spool = spool
        self._bell = bell
        self._log = log
        self._owner = owner
        self._retention = retention
        self._leaving = leaving
        self._backlog = backlog
        self._batch = batch
        self._volatile = volatile
        self._began: float | None = None
        self._tidied: float | None = None
        self._clock = clock or Clock()
        self._calm_until = 0.0

    def heed(self, *, retention: Retention, leaving: Collection[str]) -> None:
        """The settings were read anew."""
        self._retention, self._leaving = retention, leaving

    def sweep(self) -> int:
        """Ring for what is due; answers for how many. Raises Temporary."""
        leapt = self._clock.leapt()
        if leapt > AHEAD:
            self._calm_down(leapt)
        if not self._ledger.lease("sweeper", self._owner, LEASE) or monotonic() < self._calm_until:
            return 0
        tidying = self._tidied is None or monotonic() - self._tidied >= TIDY.total_seconds()
        if (leapt < BACK or tidying) and (late := self._ledger.mend_setback()):
            self._log.warning("clock.set", count=late)
        rung = self._ring()
        if tidying:
            self._tidied = monotonic()
            if not self.tidy():
                self._tidied = None  # go on with the next sweep
        return rung

    def _calm_down(self, seconds: float) -> None:
        """Leases seem to have run out, and time to have passed, though nothing has: who works goes on and renews what
        it holds, and nothing is removed for its age while the clock may still be set right."""
        self._log.warning("clock.set", seconds=round(seconds))
        self._calm_until = monotonic() + CALM
        self._tidied = monotonic()

    def _ring(self) -> int:
        if self._backlog() > BACKLOG:
            return 0
        now = monotonic()
        due = self._ledger.ring(MOST, leaving=self._leaving, patience=self._patience(now))
        self._began = now if self._began is None else self._began
        # One that has crashed goes alone, so that it takes no others with it.
        groups = [[number] for number, alone in due.items() if alone]
        together = [number for number, alone in due.items() if not alone]
        groups += [together[start : start + self._batch] for start in range(0, len(together), self._batch)]
        for group in groups:
            if not self._bell.ring_again(group):
                break
        return len(due)

    def _patience(self, now: float) -> timedelta:
        """Rings of an earlier process are gone with it where the queue lives in memory; there may be more of them than
        one sweep rings for."""
        if not self._volatile:
            return PATIENCE
        if self._began is None:
            return timedelta(0)
        return min(PATIENCE, timedelta(seconds=now - self._began) + MARGIN)

    def tidy(self) -> bool:
        """Retention and blobs that no row names. False where there was too much for one time."""
        rows = 0
        for _ in range(ROUNDS):
            retained = self._ledger.retain(self._retention)
            for name in retained.blobs:
                self._spool.delete(name)
            rows += retained.rows
            if not retained.rows:
                break
        else:
            self._log.info("sweep.done", rows=rows, orphans=0)
            return False
        orphans = collect_orphans(self._ledger.known_blobs, self._spool, now=datetime.now(UTC))
        self._log.info("sweep.done", rows=rows, orphans=orphans)
        return True


def swept(sweeper: Sweeper, log: Log) -> None:
    """One sweep whose failure is the next one's business."""
    try:
        sweeper.sweep()
    except PostroomError as error:
        log.warning("sweep.failed", reason=str(error))
    except Exception as error:  # a bug of ours must not be the last sweep
        log.warning("sweep.failed", reason=f"unexpected {type(error).__name__}")
