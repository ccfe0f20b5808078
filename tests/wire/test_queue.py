"""The doorbell over kombu's memory and over a real Redis."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import pytest

from postroom.errors import Permanent, Temporary
from postroom.queue import Bell, check_broker, length, make_app
from postroom.service.consumer import Consumer
from postroom.settings.model import Queue
from quiet import Quiet
from servers.redis import Redis


class Worked:
    """What the tasks brought."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.sizes: list[int] = []
        self._changed = threading.Condition()

    def __call__(self, ids: Sequence[int]) -> None:
        with self._changed:
            self.ids.extend(ids)
            self.sizes.append(len(ids))
            self._changed.notify_all()

    def wait_for(self, *ids: int, seconds: float = 60) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: set(ids) <= set(self.ids), seconds), f"{ids} never came"


@pytest.fixture(params=["memory", "redis"])
def settings(request: pytest.FixtureRequest) -> Queue:
    if request.param == "memory":
        # A name of its own: kombu's memory is one for all of a process.
        return Queue(url="memory://", name=f"test{time.monotonic_ns()}")
    redis: Redis = request.getfixturevalue("redis")
    return Queue(url=redis.url)


@contextmanager
def consuming(settings: Queue, worked: Worked) -> Iterator[Bell]:
    app = make_app(settings, worked)
    consumer = Consumer(app, settings)
    consumer.start()
    bell = Bell(app, settings, Quiet(), told=lambda reason, number: None)
    try:
        yield bell
    finally:
        bell.close()
        assert consumer.stop(60)
        app.close()


def test_a_ring_reaches_a_worker(settings: Queue) -> None:
    worked = Worked()
    with consuming(settings, worked) as bell:
        bell.ring([3, 4])
        worked.wait_for(3, 4)
        assert bell.ring_again([5])
        worked.wait_for(5)


def test_what_comes_while_the_bell_rings_is_rung_for_together(settings: Queue) -> None:
    worked = Worked()
    with consuming(settings, worked) as bell:
        for number in range(500):
            bell.ring([number])
        worked.wait_for(*range(500))
    assert max(worked.sizes) > 1
    assert max(worked.sizes) <= settings.batch


def test_rings_for_one_each_do_not_wait_for_the_next_look_at_the_queue(settings: Queue) -> None:
    """Celery looked every two seconds whether a thread was free again: one message for each, and then a pause."""
    worked, busy = Worked(), threading.Event()

    class Slowly(Worked):
        def __call__(self, ids: Sequence[int]) -> None:
            busy.wait(0.03)  # all threads are at work, and more waits
            worked(ids)

    with consuming(settings, Slowly()) as bell:
        for number in range(160):
            assert bell.ring_again([number])
        worked.wait_for(*range(160), seconds=30)


def test_a_worker_that_stops_finishes_what_it_began(settings: Queue) -> None:
    began, go, ended = threading.Event(), threading.Event(), threading.Event()

    def slow(ids: Sequence[int]) -> None:
        if ids:
            began.set()
            assert go.wait(60)
            ended.set()

    app = make_app(settings, slow)
    consumer = Consumer(app, settings)
    consumer.start()
    app.send_task(f"{settings.name}.process", ([1],))
    assert began.wait(60)
    threading.Timer(0.1, go.set).start()
    assert consumer.stop(60)
    assert ended.is_set()
    app.close()


def test_the_length_is_what_nobody_has_taken(settings: Queue) -> None:
    app = make_app(settings, lambda ids: None)
    for number in range(3):
        app.send_task(f"{settings.name}.process", ([number],))
    assert length(app, settings) == 3
    app.close()


def test_a_redis_that_throws_keys_away_is_refused(
    make_redis: Callable[..., AbstractContextManager[Redis]],
) -> None:
    with make_redis("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru") as redis:
        settings = Queue(url=redis.url)
        with pytest.raises(Permanent, match=r"maxmemory-policy allkeys-lru.*set it to noeviction"):
            check_broker(make_app(settings, lambda ids: None), settings)


def test_a_redis_that_keeps_everything_is_taken(redis: Redis) -> None:
    settings = Queue(url=redis.url)
    check_broker(make_app(settings, lambda ids: None), settings)


def test_a_ring_that_cannot_be_delivered_is_left_to_the_sweeper(redis: Redis) -> None:
    settings = Queue(url=redis.url)
    app = make_app(settings, lambda ids: None)
    log = Quiet()
    bell = Bell(app, settings, log, told=lambda reason, number: None)
    redis.kill()
    assert not bell.ring_again([1])
    assert log.events == ["queue.unavailable"]
    with pytest.raises(Temporary):
        check_broker(app, settings)
    bell.close()
    redis.start()


# Celery tells of a default that we have set ourselves; outside of tests Python is silent about it.
@pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning")
def test_a_worker_goes_on_after_redis_was_killed_and_came_back(redis: Redis) -> None:
    worked = Worked()
    settings = Queue(url=redis.url)
    with consuming(settings, worked) as bell:
        bell.ring([1])
        worked.wait_for(1)
        redis.kill()
        redis.start()
        deadline = time.monotonic() + 60
        while 2 not in worked.ids and time.monotonic() < deadline:
            bell.ring_again([2])
            threading.Event().wait(0.2)
        worked.wait_for(2)
