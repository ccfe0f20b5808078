"""A worker of the queue inside this process."""

import threading
from contextlib import suppress
from typing import Any

from celery import Celery

from postroom.queue import EMBEDDED, PROCESS
from postroom.settings.model import Queue

BREATH = 0.05  # seconds between looks whether a thread is free again, while none is


class Consumer:
    """A thread that takes tasks, and a pool of threads that work on them. A broker that is away is tried again and
    again; neither start nor end waits for it."""

    def __init__(self, app: Celery, settings: Queue) -> None:
        self._app = app
        self._settings = settings
        self._thread = threading.Thread(target=self._run, name="consumer", daemon=True)

    def start(self) -> None:
        """Take tasks as soon as the broker gives some."""
        from celery.worker import state

        state.should_stop = None
        state.should_terminate = None
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it still takes tasks."""
        return self._thread.is_alive()

    def stop(self, seconds: float) -> bool:
        """Take no more, finish what was begun; whether that was done in time."""
        from celery.worker import state

        state.should_stop = 0
        threading.Thread(target=self._wake, name="wake", daemon=True).start()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _wake(self) -> None:
        """It looks up every two seconds, or when a task comes, and once more before it ends."""
        with suppress(Exception):  # of kombu, or of redis-py as it comes: then it takes two seconds
            for _ in range(2):
                self._app.send_task(f"{self._settings.name}.{PROCESS}", ([],), retry=False)

    def _run(self) -> None:
        from celery.app.trace import setup_worker_optimizations
        from celery.worker import WorkController
        from celery.worker.consumer import Consumer as TaskConsumer

        class Prompt(TaskConsumer):  # type: ignore[misc]  # Celery has no types
            loop = staticmethod(_loop)

        # The pool's threads know no app but the default one.
        setup_worker_optimizations(self._app)
        controller = WorkController(
            app=self._app,
            pool_cls="threads",
            consumer_cls=Prompt,
            concurrency=self._settings.threads,
            # The hub that it would use with Redis is one for the whole process, and does not start twice.
            use_eventloop=False,
            prefetch_multiplier=4 if self._settings.url == EMBEDDED else 1,
            loglevel="WARNING",
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
            quiet=True,
        )
        with suppress(SystemExit):
            controller.start()


class _Connection:
    """The broker's, which is waited for only while a thread is free to take what comes."""

    def __init__(self, connection: Any, prefetched: Any) -> None:
        self._connection = connection
        self._prefetched = prefetched

    def drain_events(self, timeout: float) -> None:
        self._connection.drain_events(timeout=timeout if self._prefetched.can_consume() else BREATH)


def _loop(consumer: Any, connection: Any, tasks: Any, *rest: Any) -> None:
    """Celery's own, which would hear that a thread is free again two seconds later, or with the next task; but none
    comes while all threads have one."""
    from celery.worker.loops import synloop

    synloop(consumer, _Connection(connection, tasks.channel.qos), tasks, *rest)
