"""Whether there is room for more: asked of the desk once for many messages, as it costs a look at the ledger."""

import asyncio
from typing import Final

from postroom.errors import PostroomError
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

    async def enter(self, patience: float) -> bool:
        """Whether one more message may come, when so many seconds are over at the latest."""
        if not self._is_open():
            try:
                async with asyncio.timeout(patience):
                    await self._opening()
            except (PostroomError, TimeoutError):
                return False
        self._left -= 1
        return True

    def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()

    def _is_open(self) -> bool:
        return self._left > 0 and self._loop.time() < self._until

    async def _opening(self) -> None:
        while not self._is_open():
            if self._asking is None:
                self._asking = self._loop.create_task(self._ask())
                self._asking.add_done_callback(_heard)
            # One who gives up leaves the question to the others.
            await asyncio.shield(self._asking)

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
