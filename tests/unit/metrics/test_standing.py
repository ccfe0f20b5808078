"""How things stand, asked when somebody looks; and what is shown when nobody answers."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from postroom.errors import Temporary
from postroom.ledger.backlog import Backlog
from postroom.ledger.rows import Counts, State
from postroom.metrics.prometheus import Metrics, Names
from postroom.metrics.standing import Questions

COUNTS = Counts(messages={State.PLANNED: 2, State.DEAD: 3}, pending=4, oldest_due=timedelta(seconds=90))
BACKLOGS = {"support": Backlog(in_flight=5, unsettled=6, oldest=timedelta(minutes=7))}
ANSWERED = Questions(counts=lambda: COUNTS, backlogs=lambda: BACKLOGS, queue=lambda: 8, free=lambda: 9)


def away() -> int:
    raise Temporary("the queue cannot be asked")


def shown(questions: Questions, patience: float = 60) -> Mapping[str, float]:
    """The page's lines of states, by name and labels."""
    metrics = Metrics(Names(mailboxes={"support", "quiet"}))
    metrics.ask(questions, patience=patience)
    lines = metrics.page()[0].decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line.startswith("postroom_"))
    return {name.removeprefix("postroom_"): float(number) for name, number in pairs}


def test_every_state_is_shown_also_those_that_are_zero() -> None:
    page = shown(ANSWERED)
    assert page['ledger_rows{state="planned"}'] == 2
    assert page['ledger_rows{state="settled"}'] == 0
    assert (page["dead_letters"], page["effects_pending"], page["oldest_due_seconds"]) == (3, 4, 90)
    assert page['mailbox_in_flight{mailbox="support"}'] == 5
    assert page['mailbox_oldest_unsettled_seconds{mailbox="support"}'] == 420
    assert page['mailbox_in_flight{mailbox="quiet"}'] == 0
    assert (page["queue_length"], page["spool_free_bytes"]) == (8, 9)
    assert page['unanswered{asked="ledger"}'] == 0


def test_what_cannot_be_asked_is_left_out_and_the_rest_is_shown() -> None:
    page = shown(replace(ANSWERED, queue=away))
    assert "queue_length" not in page
    assert page['unanswered{asked="queue"}'] == 1
    assert page["dead_letters"] == 3


def test_a_mailbox_that_is_not_configured_any_more_makes_no_series() -> None:
    page = shown(replace(ANSWERED, backlogs=lambda: {'evil"}': BACKLOGS["support"]}))
    assert not [name for name in page if "evil" in name]


@pytest.fixture
def hung() -> Iterator[Callable[[], Counts]]:
    end = threading.Event()

    def ask() -> Counts:
        end.wait(60)
        return COUNTS

    yield ask
    end.set()


def test_a_ledger_that_hangs_holds_up_no_scrape(hung: Callable[[], Counts]) -> None:
    page = shown(replace(ANSWERED, counts=hung), patience=0.2)
    assert page['unanswered{asked="ledger"}'] == 1
    assert not [name for name in page if name.startswith(("ledger_rows", "dead_letters"))]
