"""What watchers ask and tell, the same on every database."""

from datetime import UTC, datetime, timedelta

import pytest

from postroom.errors import Permanent, Temporary
from postroom.ledger import (
    OWN,
    Arrival,
    Batch,
    Cursor,
    End,
    Origin,
    Recorded,
    Settled,
    State,
    Unsettled,
    Waiting,
    Watched,
)
from waiting import until

from .conftest import RECEIVED, Clerk

SOON = timedelta(seconds=0)
LATER = timedelta(hours=1)


def arrival(key: str, content: bytes | None = b"x", **more: object) -> Arrival:
    return Arrival(source_key=key, pipeline="p", received=RECEIVED, content=content, folder="INBOX", **more)  # type: ignore[arg-type]  # a few of its fields


def done(clerk: Clerk, key: str, *, folder: str = "") -> int:
    """A message whose effects are done, and whose source has not heard."""
    claim = clerk.planned(clerk.effect(f"effect of {key}"), key=key)
    clerk.report(claim, clerk.done(f"effect of {key}"))
    assert clerk.state(claim.id) is State.DONE
    return claim.id


def test_what_is_done_is_unsettled_until_the_source_confirms(clerk: Clerk) -> None:
    number = done(clerk, "a")
    assert [(row.id, row.plan) for row in clerk.ledger.unsettled("stdin")] == [(number, '{"plan": 1}')]
    assert clerk.ledger.unsettled_mailboxes() == {"stdin"}
    clerk.ledger.settle("stdin", [Settled(message=number, outcome="moved")])
    assert (clerk.row(number).state, clerk.row(number).outcome) == (State.SETTLED, "moved")
    assert clerk.ledger.unsettled("stdin") == ()
    assert clerk.ledger.unsettled_mailboxes() == set()


def test_a_repeated_settlement_changes_nothing(clerk: Clerk) -> None:
    number = done(clerk, "a")
    clerk.ledger.settle("stdin", [Settled(message=number, outcome="moved")])
    first = clerk.row(number)
    clerk.ledger.settle("stdin", [Settled(message=number, outcome="vanished")])
    assert clerk.row(number) == first


def test_a_settlement_that_failed_for_now_is_asked_again_later(clerk: Clerk) -> None:
    number = done(clerk, "a")
    unsettled = Unsettled(message=number, error=Temporary("the folder is locked"))
    clerk.ledger.settle("stdin", [], [(unsettled, datetime.now(UTC) + LATER)])
    assert clerk.ledger.unsettled("stdin") == ()
    assert (clerk.row(number).state, clerk.row(number).error) == (State.DONE, "the folder is locked")
    clerk.ledger.settle("stdin", [], [(unsettled, datetime.now(UTC) - LATER)])
    assert [row.tries for row in clerk.ledger.unsettled("stdin")] == [2]


def test_a_settlement_that_is_to_wait_is_no_failure_and_holds_up_none(clerk: Clerk) -> None:
    waiting, other = done(clerk, "a"), done(clerk, "b")
    clerk.ledger.settle("stdin", [], waiting=[Waiting(message=waiting, until=datetime.now(UTC) + LATER)])
    assert [row.id for row in clerk.ledger.unsettled("stdin", limit=1)] == [other]
    assert (clerk.row(waiting).tries, clerk.row(waiting).error) == (0, None)
    clerk.ledger.settle("stdin", [], waiting=[Waiting(message=waiting, until=datetime.now(UTC) - LATER)])
    assert [row.id for row in clerk.ledger.unsettled("stdin")] == [waiting, other]


def test_a_settlement_that_failed_for_good_makes_a_dead_letter(clerk: Clerk) -> None:
    number = done(clerk, "a")
    clerk.ledger.settle("stdin", [], [(Unsettled(message=number, error=Permanent("no such folder")), None)])
    assert (clerk.row(number).state, clerk.row(number).error) == (State.DEAD, "no such folder")


def test_copies_of_our_own_are_known_before_they_are_seen(clerk: Clerk) -> None:
    number = done(clerk, "a")
    copy = arrival("Archive/1/7", content=None, end=OWN)
    clerk.ledger.settle("stdin", [Settled(message=number, outcome="moved", own=(copy,))])
    assert clerk.ledger.known_keys("stdin", ["Archive/1/7", "Archive/1/8"]) == {"Archive/1/7"}
    [answer] = clerk.ledger.record("stdin", Batch(arrivals=(arrival("Archive/1/7"),)))
    assert isinstance(answer, Recorded)
    assert (answer.new, answer.state) == (False, State.SETTLED)


def test_an_arrival_can_be_its_own_end(clerk: Clerk) -> None:
    large = End(State.DEAD, error="larger than limits.message")
    answers = clerk.ledger.record(
        "m", Batch(arrivals=(arrival("a", content=None, end=OWN), arrival("b", content=None, end=large)))
    )
    own, dead = [clerk.row(clerk.recorded(answer)) for answer in answers]
    assert (own.state, own.outcome, own.blob) == (State.SETTLED, "own", None)
    assert (dead.state, dead.error, dead.blob) == (State.DEAD, "larger than limits.message", None)
    assert clerk.ledger.ring(10, patience=SOON) == {}


def test_a_wanted_message_waits_for_its_next_try_and_is_received_with_its_bytes(clerk: Clerk) -> None:
    [number] = [clerk.recorded(one) for one in clerk.ledger.record("m", Batch(arrivals=(arrival("k", content=None),)))]
    assert [row.id for row in clerk.ledger.wanted("m", "INBOX", 10)] == [number]
    assert clerk.ledger.wanted("m", "Other", 10) == ()
    clerk.ledger.missed(number, "an empty answer", datetime.now(UTC) + LATER)
    assert clerk.ledger.wanted("m", "INBOX", 10) == ()
    [answer] = clerk.ledger.record("m", Batch(arrivals=(arrival("k"),)))
    assert isinstance(answer, Recorded)
    assert (answer.new, answer.state, answer.id) == (True, State.RECEIVED, number)
    # The wait was for the bytes: work on them begins at once.
    assert clerk.ledger.ring(10, patience=SOON) == {number: False}


def test_a_wanted_message_that_never_comes_is_a_dead_letter(clerk: Clerk) -> None:
    [number] = [clerk.recorded(one) for one in clerk.ledger.record("m", Batch(arrivals=(arrival("k", content=None),)))]
    clerk.ledger.missed(number, "always empty", None)
    assert (clerk.row(number).state, clerk.row(number).error) == (State.DEAD, "always empty")


def test_what_vanished_at_the_source_ends_where_nothing_is_left_to_do(clerk: Clerk) -> None:
    settled = done(clerk, "done")
    (received,) = clerk.receive("received")
    clerk.ledger.record("stdin", Batch(arrivals=(arrival("wanted", content=None),)))
    assert clerk.ledger.vanish("stdin", ["done", "received", "wanted", "unknown"]) == 2
    assert clerk.row(settled).outcome == "vanished"
    assert clerk.state(received) is State.RECEIVED


def test_load_counts_what_is_worked_on_and_not_what_waits(clerk: Clerk) -> None:
    clerk.receive("a", "b")
    waiting = clerk.claim("c")
    clerk.ledger.postponed(waiting, "away", datetime.now(UTC) + LATER)
    load = clerk.ledger.load("stdin")
    assert load.messages == 2
    assert load.octets == 2 * len(b"Subject: x\n\nbody\n")
    assert clerk.ledger.load("other").messages == 0


def test_a_row_goes_on_under_another_key_unless_that_is_taken(clerk: Clerk) -> None:
    first, second = clerk.receive("INBOX/1/5", "INBOX/2/9")
    clerk.ledger.rekey("stdin", [("INBOX/1/5", "INBOX/2/6"), ("INBOX/2/9", "INBOX/2/6")])
    assert (clerk.row(first).source_key, clerk.row(second).source_key) == ("INBOX/2/6", "INBOX/2/9")


def test_hashes_are_known_by_mailbox(clerk: Clerk) -> None:
    (number,) = clerk.receive("a")
    digest = clerk.row(number).sha256 or ""
    assert clerk.ledger.known_hashes("stdin", [digest, "0" * 64]) == {digest}
    assert clerk.ledger.known_hashes("other", [digest]) == set()


def test_a_cursor_moves_without_arrivals(clerk: Clerk) -> None:
    clerk.ledger.record("m", Batch(arrivals=(), cursor=Cursor(folder="INBOX", uidvalidity=3, next=17)))
    assert clerk.ledger.cursor("m", "INBOX") == Cursor(folder="INBOX", uidvalidity=3, next=17)


def test_several_batches_share_one_commit_and_get_their_own_answers(clerk: Clerk) -> None:
    batches = [
        Batch(arrivals=(arrival("a"), arrival("b")), cursor=Cursor(folder="A", uidvalidity=1, next=3)),
        Batch(arrivals=(), cursor=Cursor(folder="B", uidvalidity=1, next=9)),
        Batch(arrivals=(arrival("a"), arrival("c"))),
    ]
    answers = clerk.ledger.record_all("m", batches)
    new = [[answer.new for answer in group if isinstance(answer, Recorded)] for group in answers]
    assert new == [[True, True], [], [False, True]]
    assert [clerk.ledger.cursor("m", name) is not None for name in ("A", "B")] == [True, True]


def test_a_message_is_rung_for_when_its_time_came_or_nobody_took_it(clerk: Clerk) -> None:
    patience = timedelta(hours=1)
    (fresh,) = clerk.receive("fresh")
    assert clerk.ledger.ring(10, patience=patience) == {}
    assert clerk.ledger.ring(10, patience=SOON) == {fresh: False}
    late = clerk.claim("late")
    clerk.ledger.postponed(late, "away", datetime.now(UTC) + timedelta(milliseconds=1))
    held = clerk.claim("held")
    assert held.id not in clerk.ledger.ring(10, patience=SOON)
    assert clerk.ledger.ring(10, leaving=["stdin"], patience=SOON) == {}


def test_a_message_whose_claims_crashed_is_rung_for_alone(clerk: Clerk) -> None:
    (number,) = clerk.receive("k")
    from postroom.ledger import Lease, Owner

    clerk.ledger.claim([number], Lease(Owner.current(), timedelta(milliseconds=1)))
    until(lambda: clerk.ledger.ring(10, patience=SOON) == {number: True})


def test_what_watchers_tell_can_be_read_elsewhere(clerk: Clerk) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    first = Watched(mailbox="a", owner="o", connected=True, changed_at=now, looked_at=now)
    clerk.ledger.tell([first])
    second = Watched(mailbox="a", owner="p", connected=False, changed_at=now, refused="no", reconnects=3)
    clerk.ledger.tell([second])
    assert clerk.ledger.watched() == (second,)


@pytest.mark.parametrize("decision", ["take", "skip"])
def test_a_decision_is_told_once(clerk: Clerk, decision: str) -> None:
    assert clerk.ledger.decision("m") is None
    clerk.ledger.decide("m", "take" if decision == "take" else "skip")
    assert clerk.ledger.decision("other") is None
    assert clerk.ledger.decision("m") == decision
    assert clerk.ledger.decision("m") is None


def test_identities_that_the_source_lists_no_more_are_forgotten(clerk: Clerk) -> None:
    from postroom.ledger import Retention

    clerk.settle("uidl-1#1")
    clerk.settle("uidl-2#1")
    policy = Retention(settled=SOON, identities=frozenset({"stdin"}))
    clerk.ledger.retain(policy)
    assert clerk.ledger.known_keys("stdin", ["uidl-1#1", "uidl-2#1"]) == {"uidl-1#1", "uidl-2#1"}
    assert clerk.ledger.forget_unlisted("stdin", ["uidl-2#1"]) == 1
    assert clerk.ledger.known_keys("stdin", ["uidl-1#1", "uidl-2#1"]) == {"uidl-2#1"}


def test_an_effects_key_leads_to_its_message(clerk: Clerk) -> None:
    done(clerk, "a")
    done(clerk, "b")
    known = clerk.ledger.origins({"effect of a", "effect of c"})
    assert known == {"effect of a": Origin("stdin", "a")}
    assert clerk.ledger.origins(()) == {}
