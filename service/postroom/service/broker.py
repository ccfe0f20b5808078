"""The queue's broker: whether it keeps tasks, as soon as it can be asked."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from celery import Celery

from postroom import queue
from postroom.errors import Permanent, Temporary
from postroom.logs import Log
from postroom.settings.model import Queue

PAUSE = 10.0  # seconds between looks for one that is away


class Broker:
    """One that is away ends nothing: messages are taken meanwhile, and what is due stands in the ledger."""

    def __init__(self, app: Celery, settings: Queue, log: Log) -> None:
        self._app = app
        self._settings = settings
        self._log = log
        self._known = self._look()

    async def run(self, calls: Executor, failed: Callable[[Permanent], None]) -> None:
        """Until it is known; `failed` where it throws tasks away."""
        loop = asyncio.get_running_loop()
        try:
            while not self._known:
                await asyncio.sleep(PAUSE)
                self._known = await loop.run_in_executor(calls, self._look)
        except Permanent as error:
            failed(error)

    def queued(self) -> int:
        """Tasks that nobody has taken yet. Raises Temporary."""
        return queue.length(self._app, self._settings)

    def _look(self) -> bool:
        """False where it is away. Raises Permanent for one that throws tasks away."""
        try:
            queue.check_broker(self._app, self._settings)
        except Temporary as error:
            self._log.warning("queue.unavailable", reason=str(error))
            return False
        return True
