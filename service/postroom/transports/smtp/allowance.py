"""How many messages a server may be given in a minute, over all processes: the ledger keeps the count."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from postroom.errors import Temporary

Spend = Callable[[str, int, int], timedelta]
"""Name, tokens, tokens per minute: how long to wait until there are so many; zero: they are spent."""
SHORT: Final = timedelta(seconds=1)  # so long is waited here
KEPT: Final = 5.0  # seconds after which tokens that were taken and not used are given up


class Allowance:
    """Takes tokens in batches of a second's worth, so that a busy server costs one write a second."""

    def __init__(self, name: str, per_minute: int, spend: Spend) -> None:
        self._name = name
        self._per_minute = per_minute
        self._batch = max(1, per_minute // 60)
        self._spend = spend
        self._lock = threading.Lock()
        self._left = 0
        self._taken = 0.0

    def take(self) -> None:
        """One message may go. Raises Temporary where it is too early."""
        with self._lock:
            if not self._left or time.monotonic() - self._taken > KEPT:
                self._refill()
            self._left -= 1

    def _refill(self) -> None:
        wait = self._spend(self._name, self._batch, self._per_minute)
        if timedelta(0) < wait <= SHORT:
            time.sleep(wait.total_seconds())
            wait = self._spend(self._name, self._batch, self._per_minute)
        if wait > timedelta(0):
            self._left = 0
            raise Temporary("the server has had as many messages as it may in a minute", after=wait)
        self._left = self._batch
        self._taken = time.monotonic()
