"""Questions that may take long or never be answered, asked on behalf of somebody who cannot wait."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Question(Generic[T]):
    """Asked in a thread of its own, never twice at once. An answer is good for `fresh` seconds, so that however many
    ask and however long the answer takes, one thread waits for it."""

    def __init__(
        self, ask: Callable[[], T], *, fresh: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._fresh = fresh
        self._clock = clock
        self._lock = threading.Lock()
        self._running: Future[T] | None = None
        self._answered = 0.0

    def answer(self, seconds: float) -> T:
        """What is answered within that time. Raises TimeoutError, or what asking raised."""
        return self.ask().result(seconds)

    def ask(self) -> "Future[T]":
        """Begin, where no answer is on its way or fresh."""
        with self._lock:
            stale = self._running is None or (self._running.done() and self._clock() - self._answered >= self._fresh)
            if self._running is None or stale:
                self._running = Future()
                threading.Thread(target=self._wait, args=(self._running,), name="question", daemon=True).start()
            return self._running

    def _wait(self, future: "Future[T]") -> None:
        try:
            found = self._ask()
        except BaseException as error:  # whoever asked is told
            self._answered = self._clock()
            future.set_exception(error)
        else:
            self._answered = self._clock()
            future.set_result(found)
