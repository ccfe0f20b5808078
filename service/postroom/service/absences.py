"""Scanners that give no answer: metrics count every message, the log says it once a minute for each of them."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Final

from postroom.logs import Log
from postroom.pipeline.tools import ScannerName

EVERY: Final = 60.0  # seconds


class Absences:
    """Safe to share between threads. `count` in the log: messages since the line before that one."""

    def __init__(
        self, counted: Callable[[ScannerName], None], log: Log, clock: Callable[[], float] = monotonic
    ) -> None:
        self._counted = counted
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._told: dict[ScannerName, float] = {}
        self._missed: dict[ScannerName, int] = {}

    def away(self, scanner: ScannerName, reason: str) -> None:
        """One more message that it said nothing of."""
        self._counted(scanner)
        with self._lock:
            count = self._missed.get(scanner, 0) + 1
            now = self._clock()
            is_due = scanner not in self._told or now - self._told[scanner] >= EVERY
            self._missed[scanner] = 0 if is_due else count
            if is_due:
                self._told[scanner] = now
        if is_due:
            self._log.warning("scanner.away", scanner=scanner, count=count, reason=reason)
