"""The sweeper: rings for what is due and nobody works on, and puts an end to what is over."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from time import monotonic

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

    def heed(self, *, retention: Retention, leaving: Collection[str]) -> None:
        """The settings were read anew."""
        self._retention, self._leaving = retention, leaving

    def sweep(self) -> int:
        """Ring for what is due; answers for how many. Raises Temporary."""
        if not self._ledger.lease("sweeper", self._owner, LEASE):
            return 0
        rung = self._ring()
        if self._tidied is None or monotonic() - self._tidied >= TIDY.total_seconds():
            self._tidied = monotonic()
            if not self.tidy():
                self._tidied = None  # go on with the next sweep
        return rung

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
