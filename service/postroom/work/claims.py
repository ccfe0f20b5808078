"""What a worker does with the ids that the queue brings: claim, work, keep the claims alive, tell who waits for it."""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic

from postroom.errors import PostroomError
from postroom.ledger import Claim, Lease, Ledger, Owner, Row
from postroom.logs import Log
from postroom.work.job import Seat
from postroom.work.worker import LEASE, Worker

LONGEST = timedelta(hours=1).total_seconds()  # after this a claim is renewed no more: its work hangs


class Keeper:
    """Renews the claims that are being worked on, from a thread of its own: the work may take longer than a lease."""

    def __init__(self, ledger: Ledger, log: Log) -> None:
        self._ledger = ledger
        self._log = log
        self._held: dict[int, tuple[Sequence[Claim], float]] = {}
        self._changed = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
        self._thread.start()

    @contextmanager
    def keeping(self, claims: Sequence[Claim]) -> Iterator[None]:
        """Keep them alive meanwhile."""
        self._held[id(claims)] = (claims, monotonic())
        try:
            yield
        finally:
            del self._held[id(claims)]

    def close(self) -> None:
        self._closed = True
        self._changed.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._closed:
            self._changed.wait(LEASE.total_seconds() / 3)
            now = monotonic()
            old = [
                claim
                for claims, since in list(self._held.values())
                if LEASE.total_seconds() / 4 < now - since < LONGEST
                for claim in claims
            ]
            if not old:
                continue
            try:
                # Who lost one finds out at its next write, which is fenced.
                self._ledger.renew(old, LEASE)
            except PostroomError:
                self._log.warning("ledger.locked")


class Labour:
    """Called by the queue's tasks, in many threads. `told` hears which mailboxes were worked for."""

    def __init__(
        self,
        worker: Worker,
        keeper: Keeper,
        seat: Callable[[Row], Seat],
        told: Callable[[Collection[str]], None],
    ) -> None:
        self._worker = worker
        self._keeper = keeper
        self._seat = seat
        self._told = told

    def process(self, ids: Sequence[int]) -> None:
        """Work on those that are free. Never raises: what is left undone is due again, and the sweeper rings for it."""
        log = self._worker.log
        claims: Sequence[Claim] = ()
        try:
            claims = self._worker.ledger.claim(ids, Lease(Owner.current(), LEASE))
            if claims:
                self._work(claims)
        except PostroomError as error:  # the ledger is away; the messages are in it
            log.warning("work.failed", reason=str(error))
            self._give_back(claims)
        except Exception as error:  # a bug of ours: like a crash, so that it comes alone next time and has an end
            log.warning("work.failed", reason=type(error).__name__)
        self._told({claim.row.mailbox for claim in claims})

    def _work(self, claims: Sequence[Claim]) -> None:
        with self._keeper.keeping(claims):
            self._worker.process_all(claims, self._seat)

    def _give_back(self, claims: Sequence[Claim]) -> None:
        try:
            self._worker.ledger.release(claims)
        except PostroomError:
            self._worker.log.warning("ledger.locked")
