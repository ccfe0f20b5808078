"""The doorbell: a Celery app whose tasks carry ids of messages and nothing else, and a worker of it in this process.

Celery may lose a task or bring it twice; the ledger is the truth, so that a lost ring is found by the sweeper and a
repeated one finds nothing to do. No task is ever delayed: the time of a next try stands in the ledger.
"""

import threading
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from celery import Celery
from celery.exceptions import CPendingDeprecationWarning
from kombu.entity import Queue as KombuQueue
from kombu.exceptions import OperationalError

from postroom.errors import Permanent, Temporary, cause
from postroom.logs import Log
from postroom.metrics import Ring
from postroom.settings.model import Queue

POLLING = 0.01  # seconds between looks into kombu's memory transport, whose own habit is one second
EMBEDDED = "memory://"
MANY = 25  # messages that are worth another thread, while one is busy; more threads get in each other's way
PATIENCE = 0.1  # seconds that busy threads hold up the next group
BREATH = 0.05  # seconds between looks whether a thread is free again, while none is
VISIBILITY = 900
START_SECONDS = 30
TASKS = PROCESS, PERFORM = "process", "perform"


def make_app(settings: Queue, work: Callable[[Sequence[int]], None]) -> Celery:
    """An app of its own, with the two tasks. `work` is called with ids in a worker's thread and must not raise."""
    app = Celery("postroom", broker=broker_url(settings), backend=None, set_as_current=False, fixups=[])
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_retry_on_worker_lost=True,
        task_acks_on_failure=True,
        task_acks_on_timeout=True,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_pool_limit=4,
        broker_transport_options=transport_options(settings),
        task_default_queue=f"{settings.name}.{PROCESS}",
        task_queues=[_named(f"{settings.name}.{task}") for task in TASKS],
        task_create_missing_queues=False,
    )

    def process(ids: Sequence[int]) -> None:
        work(ids)

    for task in TASKS:
        name = f"{settings.name}.{task}"
        app.task(process, name=name, shared=False, ignore_result=True, max_retries=3, default_retry_delay=1)
    return app


def _named(name: str) -> Any:
    return KombuQueue(name, routing_key=name)  # type: ignore[no-untyped-call]  # kombu has no types


def broker_url(settings: Queue) -> str:
    """With its password, which the settings keep apart."""
    if settings.url == EMBEDDED:
        return "memory://localhost"  # kombu warns where there is no host
    secret = settings.secret()
    url = settings.url.replace("redis+socket://", "socket://", 1)
    if secret is None:
        return url
    from urllib.parse import quote

    scheme, _, rest = url.partition("://")
    user, at, host = rest.rpartition("@")
    return f"{scheme}://{user if at else ''}:{quote(secret.get_secret_value(), safe='')}@{host}"


def transport_options(settings: Queue) -> dict[str, Any]:
    """Of kombu. Every client of one Redis must use the same visibility: the shortest wins."""
    if settings.url == EMBEDDED:
        return {"polling_interval": POLLING}
    return {
        "visibility_timeout": VISIBILITY,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": 15,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "global_keyprefix": f"{settings.name}:",
        "queue_order_strategy": "priority",
        # A ring is tried once: the sweeper rings again.
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.1,
        "interval_max": 0.1,
    }


class Bell:
    """Rings for messages: at once when all is quiet, in larger groups when much arrives.

    A ring that cannot be delivered is none: the sweeper finds the messages in the ledger.
    """

    def __init__(self, app: Celery, settings: Queue, log: Log, *, told: Callable[[Ring, int], None]) -> None:
        self._app = app
        self._settings = settings
        self._log = log
        self._told = told
        self._waiting: list[int] = []
        self._open = 0  # rings that a worker of this process has not answered
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
        self._thread.start()

    def ring(self, ids: Sequence[int]) -> None:
        """For new messages."""
        with self._changed:
            self._waiting.extend(ids)
            self._changed.notify()

    def ring_again(self, ids: Sequence[int]) -> bool:
        """For messages whose time came, on a queue of their own, so that they hold up no new ones."""
        return self._send(PERFORM, ids, "sweep")

    def answered(self) -> None:
        """A worker in this process is done with a ring."""
        with self._changed:
            self._open = max(0, self._open - 1)
            self._changed.notify()

    def close(self) -> None:
        """Ring for what waits, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(5)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if not self._waiting:
                    return
                if self._settings.url == EMBEDDED:  # who answers elsewhere tells nobody here
                    # A larger group gathers: many messages together cost workers little more than one.
                    self._changed.wait_for(lambda: self._open < 1 + (len(self._waiting) >= MANY), PATIENCE)
                ids, self._waiting = self._waiting[: self._settings.batch], self._waiting[self._settings.batch :]
            sent = self._send(PROCESS, ids, "new")
            with self._changed:
                # Others may answer it, and tell nobody here; more than are worked on at once do not count.
                self._open = min(self._open + sent, self._settings.threads)
            # One alone, when all is quiet, is not kept waiting by it.
            time.sleep(POLLING * (1 + 2 * self._open))

    def _send(self, task: str, ids: Sequence[int], reason: Ring) -> bool:
        name = f"{self._settings.name}.{task}"
        try:
            self._app.send_task(name, (list(ids),), queue=name, retry=False)
        except Exception as error:  # of kombu, or of redis-py as it comes; the sweeper goes on with it
            self._log.warning("queue.unavailable", reason=cause(error))
            return False
        self._told(reason, len(ids))
        return True


def length(app: Celery, settings: Queue) -> int:
    """Tasks that nobody has taken yet. Raises Temporary where the broker cannot be asked."""
    try:
        with app.connection_for_read() as connection:
            channel = connection.default_channel
            return sum(channel._size(f"{settings.name}.{task}") for task in TASKS)
    except Exception as error:  # of kombu, or of redis-py as it comes
        raise Temporary(f"the queue cannot be asked: {cause(error)}") from error


def check_broker(app: Celery, settings: Queue) -> None:
    """Refuse a Redis that throws keys away when memory runs short: tasks would vanish. Raises Permanent, Temporary."""
    if settings.url == EMBEDDED:
        return
    try:
        with app.connection_for_read() as connection:
            client = connection.default_channel.client
            policy = client.config_get("maxmemory-policy").get("maxmemory-policy", "noeviction")
    except Exception as error:  # of redis-py or kombu; some servers also refuse CONFIG
        if "unknown command" in str(error).lower() or "NOPERM" in str(error):
            return
        raise Temporary(f"the queue {settings.url} cannot be reached: {cause(error)}") from error
    if policy != "noeviction":
        raise Permanent(
            f"the Redis of `queue.url` has maxmemory-policy {policy} and throws tasks away when memory runs short: "
            "set it to noeviction"
        )


class Consumer:
    """A Celery worker inside this process: a thread that takes tasks, and a pool of threads that work on them."""

    def __init__(self, app: Celery, settings: Queue) -> None:
        self._app = app
        self._settings = settings
        self._ready = threading.Event()
        self._controller: Any = None
        self._thread = threading.Thread(target=self._run, name="consumer", daemon=True)

    def start(self) -> None:
        """Return once it takes tasks, or goes on trying to, as the broker is away. Raises Temporary where it ended."""
        from celery.worker import state

        state.should_stop = None
        state.should_terminate = None
        # It warns of a default that we have set ourselves.
        warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
        self._thread.start()
        end = time.monotonic() + START_SECONDS
        while self._thread.is_alive() and time.monotonic() < end and not self._ready.wait(0.1):
            pass
        if not self._thread.is_alive():
            raise Temporary("the queue's worker did not start: look at the lines above")

    @property
    def alive(self) -> bool:
        """Whether it still takes tasks."""
        return self._thread.is_alive()

    def stop(self, seconds: float) -> bool:
        """Take no more, finish what was begun; whether that was done in time."""
        from celery.worker import state

        state.should_stop = 0
        # It looks up every two seconds, or when a task comes, and once more before it ends.
        with suppress(OperationalError, OSError):
            for _ in range(2):
                self._app.send_task(f"{self._settings.name}.{PROCESS}", ([],), retry=False)
        self._thread.join(seconds)
        return not self._thread.is_alive()

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
            ready_callback=lambda _: self._ready.set(),
        )
        self._controller = controller
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
