"""A rate holds over all who share the ledger, by the database's clock."""

import time
from datetime import timedelta

from postroom.ledger import Ledger, Retention


def test_tokens_are_given_up_to_a_tenth_of_a_minute_at_once(ledger: Ledger) -> None:
    began, given = time.monotonic(), 0
    while (wait := ledger.spend("server relay", 5, 300)) == timedelta(0):
        given += 1
    # One more for each second that it took.
    assert 6 <= given <= 7 + time.monotonic() - began
    assert wait <= timedelta(seconds=1)


def test_a_rate_of_one_a_minute_gives_one(ledger: Ledger) -> None:
    assert ledger.spend("slow", 1, 1) == timedelta(0)
    assert timedelta(seconds=30) < ledger.spend("slow", 1, 1) <= timedelta(minutes=1)


def test_rates_do_not_see_each_other(ledger: Ledger) -> None:
    assert ledger.spend("one", 1, 1) == timedelta(0)
    assert ledger.spend("other", 1, 1) == timedelta(0)


def test_tidying_up_keeps_a_rate_that_is_in_use(ledger: Ledger) -> None:
    ledger.spend("slow", 1, 1)
    ledger.retain(Retention(settled=timedelta(days=1), dead=None))
    assert ledger.spend("slow", 1, 1) > timedelta(0)
