"""Keys are reserved by one message at a time, remembered at its end, and forgotten by the database's
clock."""

from datetime import timedelta
from typing import Any

import pytest

from postroom.ledger import Ledger, Retention
from postroom.pipeline.tools import Reservation
from waiting import until

DAY = timedelta(days=1)
BRIEF = timedelta(milliseconds=5)


def test_a_new_key_is_free_for_its_holder_however_often_it_asks(ledger: Ledger) -> None:
    assert ledger.reserve("s", "k", "one", DAY) == Reservation.FREE
    assert ledger.reserve("s", "k", "one", DAY) == Reservation.FREE
    assert ledger.reserve("s", "k", "two", DAY) == Reservation.HELD
    assert not ledger.recall("s", "k")


def test_a_remembered_key_is_known_to_others_and_free_to_the_one_it_comes_from(ledger: Ledger) -> None:
    ledger.reserve("s", "k", "one", DAY)
    assert ledger.remember("s", "k", "one", DAY)
    assert ledger.reserve("s", "k", "two", DAY) == Reservation.KNOWN
    assert ledger.reserve("s", "k", "one", DAY) == Reservation.FREE
    assert ledger.recall("s", "k")


def test_remembering_twice_is_fine_and_anothers_key_is_refused(ledger: Ledger) -> None:
    assert ledger.remember("s", "k", "one", DAY)
    assert ledger.remember("s", "k", "one", DAY)
    assert not ledger.remember("s", "k", "two", DAY)


def test_a_key_that_another_reserved_cannot_be_remembered(ledger: Ledger) -> None:
    ledger.reserve("s", "k", "one", DAY)
    assert not ledger.remember("s", "k", "two", DAY)


@pytest.mark.parametrize("key", ["k", "a\0b", "\udcff", "long" * 1000])
def test_spaces_do_not_see_each_other(ledger: Ledger, key: str) -> None:
    assert ledger.remember("s", key, "one", DAY)
    assert ledger.recall("s", key)
    assert not ledger.recall("t", key)
    assert not ledger.recall("s", key + "x")


def test_a_memory_expires(ledger: Ledger) -> None:
    ledger.remember("s", "k", "one", BRIEF)
    until(lambda: not ledger.recall("s", "k"))
    assert ledger.reserve("s", "k", "two", DAY) == Reservation.FREE
    assert ledger.reserve("s", "k", "one", DAY) == Reservation.HELD


def test_a_reservation_expires(ledger: Ledger) -> None:
    ledger.reserve("s", "k", "one", BRIEF)
    until(lambda: ledger.reserve("s", "k", "two", DAY) == Reservation.FREE)


def test_retention_removes_only_memories_that_expired(ledger: Ledger) -> None:
    ledger.remember("s", "old", "one", BRIEF)
    ledger.remember("s", "new", "one", DAY)
    until(lambda: not ledger.recall("s", "old"))
    ledger.retain(Retention(settled=None))
    assert ledger.recall("s", "new")


def test_reservations_of_messages_that_never_were_recorded_are_released(ledger: Ledger, clerk: Any) -> None:
    """Of this mailbox, in these spaces: another process may be planning for another one."""
    [number] = clerk.receive()
    row = clerk.row(number)
    ledger.reserve("seen m x", "kept", row.key, DAY)
    for space in ("seen m x", "seen m y", "seen mm x", "other m x"):
        ledger.reserve(space, "ghost", f"a message of {space}", DAY)
    ledger.remember("seen m x", "known", "a message that is gone", DAY)
    ledger.release_ghosts(row.mailbox, "seen m ")
    found = {
        space: ledger.reserve(space, "ghost", "new", DAY)
        for space in ("seen m x", "seen m y", "seen mm x", "other m x")
    }
    assert found == {
        "seen m x": Reservation.FREE,
        "seen m y": Reservation.FREE,
        "seen mm x": Reservation.HELD,
        "other m x": Reservation.HELD,
    }
    assert ledger.reserve("seen m x", "kept", "new", DAY) == Reservation.HELD
    assert ledger.recall("seen m x", "known")
