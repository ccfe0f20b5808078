"""Word of new files in a directory, by inotify where that can be had."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self

from watchfiles import Change, awatch

from postroom.sources.maildir.names import is_message

# Milliseconds. A report comes one step after the last file at the earliest, and so much later than the first at most;
# its thread wakes up once a step, which costs half a percent of a processor.
STEP = 10
LATEST = 50


class Alarm:
    """Collects the names of files that appeared. Where inotify's watches are used up it stays silent, and what comes
    is found by looking through the directory."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}
        self._rung = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def over(cls, directory: Path) -> AsyncIterator[Self]:
        """Look out until the context is left."""
        alarm = cls()
        watching = asyncio.create_task(alarm._watch(directory))
        await asyncio.sleep(0)  # it looks out by now: whoever lists the directory next misses nothing
        try:
            yield alarm
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    async def wait(self, seconds: float) -> list[str]:
        """Names since the last call; none where nothing came in that time."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), seconds)
        self._rung.clear()
        names, self._names = list(self._names), {}
        return names

    async def _watch(self, directory: Path) -> None:
        try:
            async for changes in awatch(directory, watch_filter=_appeared, debounce=LATEST, step=STEP, recursive=False):
                self._names |= dict.fromkeys(Path(path).name for _, path in changes)
                self._rung.set()
        except Exception:  # noqa: S110 - a broken look-out costs time and no mail: see above
            pass


def _appeared(change: Change, path: str) -> bool:
    return change is Change.added and is_message(Path(path).name)
