"""The operator's files, read anew: when somebody asks, when they have changed, or when a worker meets what it does not
know. What stands in them is used whole, or not at all."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path

from postroom.errors import Misconfigured, PostroomError
from postroom.logs import Log
from postroom.metrics.prometheus import Metrics
from postroom.service.config import Config, Stamps, read
from postroom.systemd import Manager

MOMENT = 2.0  # seconds that files which are being written have to stay the same


class Files:
    """`current` is what the service uses. `taken` is told when another has taken its place."""

    def __init__(
        self,
        path: Path | None,
        current: Config,
        *,
        calls: Executor,
        taken: Callable[[Config], None],
        manager: Manager,
        metrics: Metrics,
        log: Log,
    ) -> None:
        self.current = current
        self._path = path
        self._calls = calls
        self._taken = taken
        self._manager = manager
        self._metrics = metrics
        self._log = log
        self._seen = current.seen  # when they were last read, whether they could be used or not
        self._loop = asyncio.get_running_loop()
        self._doubted = asyncio.Event()
        self._told: set[str] = set()  # doubts since they were last taken
        self._reading = asyncio.Lock()

    def doubt(self, reason: str) -> None:
        """From any thread: these settings do not know what others do. They may be older than the files."""
        if reason not in self._told:
            self._told.add(reason)
            self._log.warning("config.outdated", reason=reason)
        with suppress(RuntimeError):  # the loop is closed: nothing is read anew any more
            self._loop.call_soon_threadsafe(self._doubted.set)

    async def follow(self, *, always: bool) -> None:
        """Read them anew where they have changed, until cancelled. `always`: look for it all the time; else only when
        there was doubt."""
        while True:
            if always:
                await asyncio.sleep(MOMENT)
            else:
                await self._doubted.wait()
                self._doubted.clear()
            if await self._changed():
                await self.reload()

    async def reload(self) -> bool:
        """Take what stands in them now; where that is broken, the old goes on and the log says so."""
        async with self._reading:
            self._manager.reloading()
            taken = await self._reloaded()
            self._metrics.reloaded(ok=taken)
            self._manager.ready("" if taken else "the files on disk are broken: an older configuration is used")
            return taken

    async def _changed(self) -> bool:
        """Whether they are others than those that were read last, and stay the same for a moment."""
        seen = await self._look()
        if seen == self._seen:
            return False
        await asyncio.sleep(MOMENT)
        return await self._look() == seen

    async def _look(self) -> Stamps:
        return await self._loop.run_in_executor(self._calls, self.current.look)

    async def _reloaded(self) -> bool:
        self._seen = await self._look()
        try:
            config = await self._loop.run_in_executor(None, read, self._path)
        except PostroomError as error:
            reason = error.problems[0] if isinstance(error, Misconfigured) and error.problems else error
            self._log.warning("config.refused", reason=str(reason))
            return False
        if changed := self.current.fixed_in(config):
            self._log.warning("config.refused", reason=f"a change of {', '.join(changed)} takes a restart")
            config = config.with_fixed(self.current, changed)
        self.current, self._seen = config, config.seen
        self._told.clear()
        self._taken(config)
        self._log.info("config.loaded")
        return True
