"""How a server stands: while it is away, or hangs, nobody waits for it but the one who tries."""

import time
from typing import Final

from postroom.errors import Temporary

FIRST: Final = 5.0  # seconds without a try after the first trouble
MOST: Final = 300.0


class Standing:
    """Not safe by itself: the pool's lock guards it."""

    def __init__(self) -> None:
        self.proven = False  # the last session came up, so that several may be opened at once
        self._until = 0.0
        self._times = 0
        self._reason = ""

    @property
    def left_alone(self) -> bool:
        return time.monotonic() < self._until

    def check(self) -> None:
        """Raise Temporary while the server is left alone."""
        if self.left_alone:
            raise Temporary(f"the server is left alone for a while: {self._reason}")

    def failed(self, error: Exception) -> None:
        """It is away: each time in a row for twice as long."""
        self.proven = False
        self._reason = str(error)
        self._until = time.monotonic() + min(FIRST * 2.0 ** min(self._times, 16), MOST)
        self._times += 1

    def worked(self) -> None:
        self.proven = True
        self._times = 0
        self._until = 0.0
