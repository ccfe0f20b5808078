"""When what failed is tried again (RFC 5321 4.5.4.1)."""

from datetime import timedelta
from itertools import count, takewhile

from postroom.errors import Permanent, Temporary
from postroom.settings.model import Retry
from postroom.work.job import delay, waiting

MINUTE = timedelta(minutes=1)


def test_waits_grow_to_the_longest_one() -> None:
    waits = [delay(Retry(), tries) // MINUTE for tries in range(8)]
    assert waits == [5, 10, 20, 40, 80, 160, 240, 240]
    own = Retry(first=timedelta(seconds=10), factor=3, most=timedelta(minutes=1))
    assert [delay(own, tries).seconds for tries in range(4)] == [10, 30, 60, 60]


def test_five_days_hold_a_bounded_number_of_tries() -> None:
    retry, at = Retry(), timedelta()
    tries = [at := at + wait for wait in takewhile(lambda _: at < retry.for_, (delay(retry, n) for n in count()))]
    assert 30 <= len(tries) <= 40


def test_who_says_when_to_come_again_is_heard_within_the_longest_wait() -> None:
    retry = Retry()
    assert waiting(retry, 5, Temporary("busy", after=7 * MINUTE)) == 7 * MINUTE
    assert waiting(retry, 0, Temporary("busy", after=timedelta(days=400))) == retry.most
    assert waiting(retry, 1, Permanent("a rule is broken by now")) == 10 * MINUTE
