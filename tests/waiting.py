"""Waiting for what comes true by itself, with an end."""

import time
from collections.abc import Callable


def until(holds: Callable[[], object], seconds: float = 60, told: Callable[[], str] = str, pause: float = 0.01) -> None:
    """Ask again and again until it holds; fails after that time, with what is `told` then."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"it does not come to hold: {told()}"
        time.sleep(pause)
