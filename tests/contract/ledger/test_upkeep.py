"""Replay, drop, abandon, retention and the questions of operators."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroom.errors import Fenced
from postroom.ledger import Arrival, Batch, Failed, Ledger, Query, Report, Retention, State
from postroom.spool import Blob

NOW = timedelta()
DAY = timedelta(days=1)


def test_replay_resumes_the_stored_plan_with_what_is_not_done(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"), clerk.effect("b", 1), clerk.effect("c", 2))
    clerk.report(claim, clerk.done("a"), Failed(key="b", error="refused"), clerk.done("c"))
    assert ledger.replay(claim.id)
    row = clerk.row(claim.id)
    assert (row.state, row.plan, row.error, row.finished_at) == (State.PLANNED, '{"plan": 1}', None, None)
    assert clerk.states(claim.id) == {"a": "done", "b": "pending", "c": "done"}
    assert ledger.due(10) == (claim.id,)
    clerk.report(clerk.take(claim.id), clerk.done("b"), settle=True)
    assert clerk.state(claim.id) == State.SETTLED


def test_replay_from_an_effect_tries_it_and_all_after_it(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"), clerk.effect("b", 1), clerk.effect("c", 2))
    clerk.report(claim, Failed(key="a", error="refused"), clerk.done("b"), clerk.done("c"))
    assert ledger.replay(claim.id, from_effect=1)
    assert clerk.states(claim.id) == {"a": "dead", "b": "pending", "c": "pending"}


@pytest.mark.parametrize("state", ["pending", "done", "dead"])
@pytest.mark.parametrize("options", [{}, {"from_effect": 0}, {"again": True}], ids=str)
def test_a_report_of_failure_is_not_replayed(ledger: Ledger, clerk: Any, state: str, options: Any) -> None:
    """What failed is tried again, and a report is made anew where it fails again."""
    claim = clerk.planned(clerk.effect("a"), replace(clerk.effect("b", 1, place=True), word="bounce"))
    outcomes = {"done": [clerk.done("b")], "dead": [Failed(key="b", error="refused")], "pending": []}
    clerk.report(claim, Failed(key="a", error="refused"), *outcomes[state])
    assert ledger.replay(claim.id, **options)
    kept = {} if options.get("again") else {"a": "pending"}
    told = {"b": "done"} if state == "done" and not options else {}
    assert clerk.states(claim.id) == kept | told


def test_replay_of_a_message_that_was_never_planned_plans_it(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.claim()
    ledger.dead(claim, "x")
    assert ledger.replay(claim.id)
    assert clerk.state(claim.id) == State.RECEIVED
    assert clerk.take(claim.id).row.crashes == 1


def test_planning_again_counts_effects_with_equal_keys_as_done(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"), clerk.effect("b", 1), clerk.effect("c", 2))
    clerk.report(claim, clerk.done("a"), clerk.done("b"), Failed(key="c", error="refused"))
    assert ledger.replay(claim.id, again=True)
    assert clerk.row(claim.id).plan is None
    again = clerk.take(claim.id)
    assert again.effects == ()
    clerk.plan(again, clerk.effect("new"), clerk.effect("b", 1), clerk.effect("c", 2))
    assert clerk.states(claim.id) == {"a": "done", "new": "pending", "b": "done", "c": "pending"}
    ledger.release([again])
    assert [effect.record.key for effect in clerk.take(claim.id).effects] == ["new", "b", "c"]


def test_planning_again_and_again_keeps_what_was_ever_done(ledger: Ledger, clerk: Any) -> None:
    number = clerk.settle()
    for turn in range(3):
        assert ledger.replay(number, again=True)
        claim = clerk.plan(clerk.take(number), clerk.effect(f"turn {turn}"))
        clerk.report(claim, clerk.done(f"turn {turn}"))
    assert set(clerk.states(number).values()) == {"done"}
    assert len(clerk.states(number)) == 4


def test_replay_fences_whoever_works_on_the_message(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"))
    assert ledger.replay(claim.id)
    with pytest.raises(Fenced):
        clerk.report(claim, clerk.done("a"))


def test_there_is_nothing_to_replay_without_bytes_or_row(ledger: Ledger, clerk: Any) -> None:
    (wanted,) = ledger.record("box", Batch(arrivals=(clerk.arrival("wanted", None),)))
    assert not ledger.replay(clerk.recorded(wanted))
    assert not ledger.replay(999)


def test_drop_ends_a_message_with_its_reason_and_fences_its_worker(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.planned(clerk.effect("a"))
    assert ledger.drop(claim.id, "spam")
    assert (clerk.state(claim.id), clerk.row(claim.id).error) == (State.DROPPED, "spam")
    with pytest.raises(Fenced):
        clerk.report(claim, clerk.done("a"))
    assert not ledger.drop(claim.id, "again")
    assert not ledger.drop(clerk.settle("other"), "settled")


def test_only_rows_that_were_not_offered_for_long_are_abandoned(ledger: Ledger, clerk: Any) -> None:
    clerk.receive("1")
    assert ledger.abandon(["stdin"]) == 0
    assert ledger.abandon(["other"], older_than=NOW) == 0
    claim = clerk.claim("2")
    assert ledger.abandon(["stdin"], older_than=NOW) == 1
    assert clerk.state(claim.id) == State.RECEIVED


def test_due_leaves_mailboxes_whose_rows_belong_to_their_caller(ledger: Ledger, clerk: Any) -> None:
    clerk.receive("1")
    clerk.mailbox = "support"
    (number,) = clerk.receive("1")
    assert ledger.due(10, leaving=["stdin"]) == (number,)
    assert len(ledger.due(10)) == 2
    assert len(ledger.due(1)) == 1


def test_due_leaves_rows_that_are_worked_on_and_rows_that_ended(ledger: Ledger, clerk: Any) -> None:
    clerk.claim("working")
    clerk.settle("settled")
    clerk.kill("dead")
    assert ledger.due(10) == ()


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        pytest.param(Retention(settled=DAY, dead=DAY), {"settled", "dead", "dropped", "open"}, id="too young"),
        pytest.param(Retention(settled=NOW), {"dead", "open"}, id="dead letters stay"),
        pytest.param(Retention(settled=None, dead=NOW), {"settled", "dropped", "open"}, id="only dead letters go"),
        pytest.param(Retention(settled=None), {"settled", "dead", "dropped", "open"}, id="for ever"),
    ],
)
def test_retention_removes_what_ended_long_enough_ago(
    ledger: Ledger, clerk: Any, policy: Retention, left: set[str]
) -> None:
    clerk.settle("settled")
    clerk.kill("dead")
    ledger.drop(clerk.receive("dropped")[0], "x")
    clerk.receive("open")
    removed = ledger.retain(policy)
    rows = ledger.find(Query())
    assert {row.source_key for row in rows} == left
    assert removed.rows == 4 - len(left)
    assert removed.blobs == ()
    assert set(ledger.contents([row.blob for row in rows if row.blob])) == {row.blob for row in rows}


def test_retention_names_blobs_to_delete_only_when_no_row_shares_them(ledger: Ledger, clerk: Any) -> None:
    blob = Blob("20260301T000000.000000-0123456789abcdef", "ab" * 32, 10)
    arrivals = tuple(
        Arrival(source_key=key, pipeline="p", received=datetime.now(UTC), content=blob) for key in ("1", "2")
    )
    ids = [clerk.recorded(answer) for answer in ledger.record("lmtp", Batch(arrivals=arrivals))]
    ledger.drop(ids[0], "x")
    assert ledger.retain(Retention(settled=NOW)).blobs == ()
    assert ledger.known_blobs([blob.name]) == {blob.name}
    ledger.drop(ids[1], "x")
    assert ledger.retain(Retention(settled=NOW)).blobs == (blob.name,)
    assert ledger.known_blobs([blob.name]) == frozenset()


def test_retention_goes_in_rounds(ledger: Ledger, clerk: Any) -> None:
    for key in "abc":
        clerk.settle(key)
    assert [ledger.retain(Retention(settled=NOW), limit=2).rows for _ in range(3)] == [2, 1, 0]


def test_find_narrows_by_everything_given(ledger: Ledger, clerk: Any) -> None:
    settled, dead = clerk.settle("1"), clerk.kill("2")
    clerk.mailbox = "other"
    clerk.receive("3")
    assert [row.id for row in ledger.find(Query(states=(State.DEAD, State.SETTLED)))] == [dead, settled]
    assert [row.mailbox for row in ledger.find(Query(mailbox="other"))] == ["other"]
    assert [row.id for row in ledger.find(Query(limit=1, before=dead))] == [settled]
    assert ledger.find(Query(message_id="<none>")) == ()
    assert ledger.show(999) is None


def test_counts_tell_states_effects_and_the_longest_wait(ledger: Ledger, clerk: Any) -> None:
    assert ledger.counts().oldest_due is None
    clerk.settle("1")
    claim = clerk.planned(clerk.effect("a"), clerk.effect("b", 1), key="2")
    ledger.report([Report(claim=claim, outcomes=(clerk.later("a", -DAY), clerk.later("b", DAY)))])
    counts = ledger.counts()
    assert counts.messages == {State.SETTLED: 1, State.PLANNED: 1}
    assert counts.pending == 2
    assert counts.oldest_due is not None
    assert DAY - timedelta(seconds=1) <= counts.oldest_due < 2 * DAY  # it counts milliseconds
