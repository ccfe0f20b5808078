"""Messages and effects go from state to state, in whole commits."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contract.transactions import writing
from postroom.errors import Fenced
from postroom.ledger import (
    Batch,
    Done,
    EffectState,
    Failed,
    Later,
    Ledger,
    PlanRecord,
    Recorded,
    Report,
    State,
)
from postroom.pipeline.tools import Reservation

HOUR = timedelta(hours=1)


def test_planned_stores_plan_and_effects(clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"), clerk.effect("b", 1, place=True))
    shown = clerk.show(claim.id)
    assert (shown.row.state, shown.row.plan) == (State.PLANNED, '{"plan": 1}')
    assert shown.row.planned_at is not None
    assert [effect.record for effect in shown.effects] == [
        clerk.effect("a"),
        clerk.effect("b", 1, place=True),
    ]
    assert all(effect.state == EffectState.PENDING and effect.due for effect in shown.effects)


def test_many_messages_are_planned_in_one_commit(ledger: Ledger, clerk: Any) -> None:
    numbers = clerk.receive(*map(str, range(50)))
    claims = ledger.claim(numbers, clerk.lease)
    ledger.planned([PlanRecord(claim=c, plan="{}", effects=(clerk.effect(f"e{c.id}"),)) for c in claims])
    ledger.report([Report(claim=c, outcomes=(clerk.done(f"e{c.id}"),), settle=True, outcome="kept") for c in claims])
    assert ledger.counts().messages == {State.SETTLED: 50}


def test_a_message_is_done_with_its_last_effect(clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"), clerk.effect("b", 1))
    clerk.report(claim, clerk.done("a"), release=False)
    assert clerk.state(claim.id) == State.PLANNED
    clerk.report(claim, clerk.done("b"))
    assert clerk.state(claim.id) == State.DONE
    assert clerk.states(claim.id) == {"a": "done", "b": "done"}
    assert clerk.row(claim.id).crashes == 0


def test_a_message_without_effects_is_done_with_a_report_of_nothing(clerk: Any) -> None:
    claim = clerk.planned()
    clerk.report(claim)
    assert clerk.state(claim.id) == State.DONE


def test_a_message_settles_at_once_where_the_source_has_nothing_to_do(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"))
    ledger.report([Report(claim=claim, outcomes=(clerk.done("a"),), settle=True, outcome="moved")])
    row = clerk.row(claim.id)
    assert (row.state, row.outcome) == (State.SETTLED, "moved")
    assert row.finished_at is not None


def test_done_becomes_settled_once(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"))
    assert ledger.settled([claim.id], "kept") == 0
    clerk.report(claim, clerk.done("a"))
    assert ledger.settled([claim.id], "kept") == 1
    assert ledger.settled([claim.id], "gone") == 0
    assert clerk.row(claim.id).outcome == "kept"


def test_an_effect_that_waits_keeps_the_message_planned_and_free(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"), clerk.effect("b", 1))
    at = datetime.now(UTC) + HOUR
    clerk.report(claim, clerk.done("a"), Later(key="b", error="away", at=at))
    shown = clerk.show(claim.id)
    waiting = shown.effects[1]
    assert (shown.row.state, shown.row.next_try_at) == (State.PLANNED, at)
    assert (waiting.state, waiting.tries, waiting.error, waiting.next_try_at) == (
        EffectState.PENDING,
        1,
        "away",
        at,
    )
    assert waiting.first_try_at is not None
    assert not waiting.due
    assert ledger.due(10) == ()
    assert [effect.due for effect in clerk.take(claim.id).effects] == [True, False]


def test_the_first_try_stays_and_tries_add_up(clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"))
    clerk.report(claim, clerk.later("a", timedelta()))
    first = clerk.show(claim.id).effects[0].first_try_at
    clerk.report(clerk.take(claim.id), clerk.later("a", timedelta()))
    effect = clerk.show(claim.id).effects[0]
    assert (effect.tries, effect.first_try_at) == (2, first)


def test_a_message_is_due_when_the_first_of_its_effects_is(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"), clerk.effect("b", 1))
    clerk.report(claim, clerk.later("a", HOUR), clerk.later("b", -HOUR))
    assert ledger.due(10) == (claim.id,)


def test_a_message_is_not_due_for_what_waits_behind_an_effect_that_failed(ledger: Ledger, clerk: Any) -> None:
    """Else it would be worked on every minute, in vain, until the effect's own time."""
    claim = clerk.planned(clerk.effect("forwarding"), clerk.effect("moving", 1, place=True))
    clerk.report(claim, clerk.later("forwarding"))
    assert ledger.due(10) == ()


def test_a_message_that_is_left_in_the_middle_is_due_at_once(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"), clerk.effect("b", 1))
    ledger.report([Report(claim=claim, outcomes=(clerk.later("a"),), release=False)])
    ledger.release([claim])
    assert ledger.due(10) == (claim.id,)


def test_a_dead_effect_does_not_end_the_message_while_another_waits(clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"), clerk.effect("b", 1))
    clerk.report(claim, Failed(key="a", error="refused"), clerk.later("b"))
    assert clerk.state(claim.id) == State.PLANNED


def test_a_message_is_dead_when_nothing_waits_and_one_effect_is_dead(clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"), clerk.effect("b", 1))
    clerk.report(claim, Failed(key="a", error="refused"), clerk.done("b"), settle=True)
    row = clerk.row(claim.id)
    assert (row.state, row.error, row.crashes) == (State.DEAD, "refused", 0)
    assert row.finished_at is not None


def test_keep_takes_the_place_of_the_place_when_an_effect_died(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"), clerk.effect("moving", 1, place=True))
    clerk.report(claim, clerk.later("moving"))
    keep = clerk.effect("keeping", 1, place=True)
    claim = clerk.take(claim.id)
    ledger.report([Report(claim=claim, outcomes=(Failed(key="a", error="refused"), clerk.done("keeping")), keep=keep)])
    shown = clerk.show(claim.id)
    assert [effect.record for effect in shown.effects] == [clerk.effect("a"), keep]
    assert shown.effects[1].tries == 0
    assert shown.row.state == State.DEAD


def test_keep_is_added_where_the_plan_had_no_place(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"))
    keep = clerk.effect("keeping", 1, place=True)
    ledger.report([Report(claim=claim, outcomes=(Failed(key="a", error="refused"),), keep=keep)])
    assert clerk.states(claim.id) == {"a": "dead", "keeping": "pending"}
    assert clerk.state(claim.id) == State.PLANNED


def test_started_is_seen_by_others_and_ended_by_a_report(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a", repeatable=False))
    ledger.started(claim, "a")
    assert clerk.states(claim.id) == {"a": "running"}
    clerk.report(claim, clerk.done("a"))
    assert clerk.states(claim.id) == {"a": "done"}


def test_what_is_done_cannot_be_started_again(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a", repeatable=False), clerk.effect("b", 1))
    clerk.report(claim, clerk.done("a"), release=False)
    with pytest.raises(Fenced):
        ledger.started(claim, "a")


def test_an_effect_whose_worker_died_comes_back_uncertain(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a", repeatable=False))
    ledger.started(claim, "a")
    assert ledger.renew([claim], timedelta()) == (claim,)
    again = clerk.take(claim.id)
    (effect,) = again.effects
    assert (effect.state, effect.uncertain, effect.crashes, effect.tries) == (EffectState.PENDING, True, 1, 0)
    clerk.report(again, clerk.done("a"))
    assert not clerk.show(claim.id).effects[0].uncertain


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        pytest.param(Later(key="a", error="no reply", at=datetime.now(UTC), uncertain=True), "pending", id="retry"),
        pytest.param(Failed(key="a", error="no reply", uncertain=True), "dead", id="hold"),
    ],
)
def test_an_uncertain_effect_follows_the_operators_policy(clerk: Any, outcome: Any, state: str) -> None:
    claim = clerk.planned(clerk.effect("a", repeatable=False))
    clerk.report(claim, outcome)
    (effect,) = clerk.show(claim.id).effects
    assert (effect.state.value, effect.uncertain) == (state, True)


def test_planning_that_waits_ends_the_claim_and_counts_a_try(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.claim()
    at = datetime.now(UTC) + HOUR
    ledger.postponed(claim, "the scanner is away", at)
    row = clerk.row(claim.id)
    assert (row.state, row.tries, row.crashes) == (State.RECEIVED, 1, 0)
    assert (row.error, row.next_try_at) == ("the scanner is away", at)
    assert ledger.due(10) == ()


def test_dead_keeps_the_message_with_its_reason(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.claim()
    ledger.dead(claim, "it killed three workers\0")
    row = clerk.row(claim.id)
    assert (row.state, row.error) == (State.DEAD, "it killed three workers\\x00")
    assert ledger.content(row) is not None
    assert ledger.claim([claim.id], clerk.lease) == ()


@pytest.mark.parametrize("end", ["dead", "dropped", "effect dead", "done", "abandoned"])
def test_a_message_that_ends_gives_up_what_it_reserved(ledger: Ledger, clerk: Any, end: str) -> None:
    claim = clerk.claim()
    assert ledger.reserve("duplicate", "k", claim.row.key, HOUR) == Reservation.FREE
    assert ledger.reserve("duplicate", "k", "another", HOUR) == Reservation.HELD
    match end:
        case "dead":
            ledger.dead(claim, "x")
        case "dropped":
            ledger.drop(claim.id, "x")
        case "effect dead":
            clerk.report(clerk.plan(claim, clerk.effect("a")), Failed(key="a", error="x"))
        case "done":
            clerk.report(clerk.plan(claim))
        case "abandoned":
            ledger.release([claim])
            ledger.abandon(["stdin"], older_than=timedelta())
    assert ledger.reserve("duplicate", "k", "another", HOUR) == Reservation.FREE


def test_a_message_that_waits_keeps_its_reservation(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"))
    ledger.reserve("duplicate", "k", claim.row.key, HOUR)
    clerk.report(claim, clerk.later("a"))
    assert ledger.reserve("duplicate", "k", "another", HOUR) == Reservation.HELD


def test_reasons_are_bounded_and_receipts_are_not_lost(clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"), clerk.effect("b", 1))
    clerk.report(claim, Failed(key="a", error="x" * 10**6), Done(key="b", receipt="r" * 10_000))
    dead, done = clerk.show(claim.id).effects
    assert len(dead.error) == 2000
    assert len(done.receipt) == 10_000


def test_a_message_takes_three_commits_from_arrival_to_its_end(ledger: Ledger, clerk: Any) -> None:
    commits: list[object] = []
    with writing(ledger, lambda: commits.append(1)):
        batch = Batch(arrivals=(clerk.arrival("key"),))
        (answer,) = ledger.record("stdin", batch, lease=clerk.lease, resume_for=HOUR)
        assert isinstance(answer, Recorded)
        clerk.plan(answer.claim, clerk.effect("a"), clerk.effect("b", 1))
        clerk.report(answer.claim, clerk.done("a"), clerk.done("b"), settle=True)
    assert clerk.state(clerk.recorded(answer)) == State.SETTLED
    assert len(commits) == 3
