"""What workers elsewhere have done is in the ledger: looked for often while they have work of ours, else seldom."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress

from postroom.desk import Office
from postroom.errors import PostroomError

QUICK, SLOW = 0.02, 0.5  # seconds between looks
GROWTH = 1.25  # so that a look is late by a quarter of the time that the work took
SHARE = 8  # a look costs so much less than the time to the next


class Glances:
    """Wakes the mailboxes that have something to settle."""

    def __init__(self, office: Office, wake: Callable[[Collection[str]], None]) -> None:
        self._office = office
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._hurried = asyncio.Event()

    def hurry(self) -> None:
        """From any thread: workers have been told of messages."""
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._hurried.set)

    async def run(self) -> None:
        """Look until cancelled."""
        wait, took = SLOW, 0.0
        while True:
            if await self._is_hurried(wait):
                wait = QUICK
                await asyncio.sleep(max(QUICK, took * SHARE))
            began = self._loop.time()
            await self._look()
            took = self._loop.time() - began
            wait = max(min(wait * GROWTH, SLOW), took * SHARE)

    async def _look(self) -> None:
        with suppress(PostroomError):
            self._wake(await self._office.call(self._office.ledger.unsettled_mailboxes))

    async def _is_hurried(self, seconds: float) -> bool:
        """Whether work began within that time, for which this waits."""
        try:
            async with asyncio.timeout(seconds):
                await self._hurried.wait()
        except TimeoutError:
            return False
        self._hurried.clear()
        return True
