"""What has come in and not ended yet, mailbox by mailbox."""

from datetime import UTC, datetime, timedelta
from typing import Any

from postroom.ledger import Ledger


def test_an_empty_ledger_has_no_backlog(ledger: Ledger) -> None:
    assert ledger.backlogs() == {}


def test_what_waits_for_a_later_try_is_not_in_flight_but_not_settled_either(ledger: Ledger, clerk: Any) -> None:
    clerk.receive("one", "two")
    claim = clerk.planned(clerk.effect("a"), key="three")
    clerk.report(claim, clerk.later("a"))
    found = ledger.backlogs()["stdin"]
    assert (found.in_flight, found.unsettled) == (2, 3)


def test_messages_that_ended_are_in_no_backlog(ledger: Ledger, clerk: Any) -> None:
    clerk.settle("settled")
    clerk.kill("dead")
    assert ledger.backlogs() == {}


def test_what_is_done_and_not_settled_counts_until_its_source_has_confirmed(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"))
    clerk.report(claim, clerk.done("a"))
    found = ledger.backlogs()["stdin"]
    assert (found.in_flight, found.unsettled) == (0, 1)


def test_the_oldest_message_says_how_long_it_has_been_here(ledger: Ledger, clerk: Any, make_clerk: Any) -> None:
    before = datetime.now(UTC)
    clerk.receive("one")
    other = make_clerk(ledger)
    other.mailbox = "support"
    other.receive("one")
    found = ledger.backlogs()
    assert set(found) == {"stdin", "support"}
    age = before - datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
    assert found["support"].oldest >= age - timedelta(seconds=1)
