"""Whether there is room for more: asked of the desk once for many messages, as it costs a look at the ledger."""

import asyncio
from typing import Final

from postroom.sources import Desk

_GOOD_FOR: Final = 0.05  # seconds
_MESSAGES: Final = 50


class Gate:
    """Shared by all conversations of a listener."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._loop = asyncio.get_running_loop()
        self._left = 0
        self._until = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def enter(self) -> None:
        """Return when one more message may come. Raises what the desk raises."""
        while self._left <= 0 or self._loop.time() > self._until:
            if self._asking is None:
                self._asking = self._loop.create_task(self._ask())
                self._asking.add_done_callback(_heard)
            # One who gives up leaves the question to the others.
            await asyncio.shield(self._asking)
        self._left -= 1

    def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self) -> None:
        try:
            await self._desk.room()
            self._left, self._until = _MESSAGES, self._loop.time() + _GOOD_FOR
        finally:
            self._asking = None


def _heard(asking: "asyncio.Task[None]") -> None:
    """A failure that nobody waits for any more is no error."""
    if not asking.cancelled():
        asking.exception()
