"""What workers elsewhere have done is in the ledger: looked for often while they have work of ours, else seldom."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress

from postroom.errors import PostroomError

QUICK, SLOW = 0.02, 0.5  # seconds between looks
GROWTH = 1.25  # so that a look is late by a quarter of the time that the work took
SHARE = 8  # a look costs so much less than the time to the next


class Glances:
    """`look` finds the mailboxes that have something to settle; these are woken."""

    def __init__(
        self,
        look: Callable[[], Awaitable[Collection[str]]],
        wake: Callable[[Collection[str]], None],
        *,
        quick: float = QUICK,
        slow: float = SLOW,
    ) -> None:
        self._look = look
        self._wake = wake
        self._quick = quick
        self._slow = slow
        self._loop = asyncio.get_running_loop()
        self._hurried = asyncio.Event()

    def hurry(self) -> None:
        """From any thread: workers have been told of messages."""
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._hurried.set)

    async def run(self) -> None:
        """Look until cancelled."""
        wait, took = self._slow, 0.0
        while True:
            if await self._is_hurried(wait):
                wait = self._quick
                await asyncio.sleep(max(self._quick, took * SHARE))
            began = self._loop.time()
            with suppress(PostroomError):
                self._wake(await self._look())
            took = self._loop.time() - began
            wait = max(min(wait * GROWTH, self._slow), took * SHARE)

    async def _is_hurried(self, seconds: float) -> bool:
        """Whether workers were told within that time, for which this waits."""
        try:
            async with asyncio.timeout(seconds):
                await self._hurried.wait()
        except TimeoutError:
            return False
        self._hurried.clear()
        return True
