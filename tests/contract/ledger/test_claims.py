"""Leases: one worker at a time, and whoever lost the row can change nothing."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from postroom.errors import Fenced
from postroom.ledger import (
    Claim,
    Done,
    EffectState,
    Failed,
    Later,
    Lease,
    Ledger,
    Owner,
    PlanRecord,
    Report,
    State,
)
from postroom.ledger.owner import is_gone
from waiting import until

BRIEF = timedelta(milliseconds=5)
LONG = timedelta(minutes=5)


def other(period: timedelta = LONG) -> Lease:
    return Lease(Owner.current(), period)


@pytest.fixture
def lost(ledger: Ledger, clerk: Any) -> Claim:
    """A claim with a plan whose lease ran out and went to another worker."""
    (number,) = clerk.receive("key")
    claim: Claim = clerk.take(number, other(BRIEF))
    clerk.plan(claim, clerk.effect("a", repeatable=False), clerk.effect("b", 1))
    until(lambda: ledger.claim([claim.id], other()))
    return claim


def test_a_claimed_row_is_left_out_of_other_claims(ledger: Ledger, clerk: Any) -> None:
    one, two = clerk.receive("1", "2")
    clerk.take(one)
    assert [claim.id for claim in ledger.claim([one, two, 999], other())] == [two]


def test_a_claim_counts_a_crash_until_it_is_released(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.claim()
    assert claim.row.crashes == clerk.row(claim.id).crashes == 1
    ledger.release([claim])
    assert clerk.row(claim.id).crashes == 0


def test_claims_that_never_ended_add_up(ledger: Ledger, clerk: Any) -> None:
    (number,) = clerk.receive()
    for crashes in (1, 2, 3):
        found: list[Claim] = []
        until(lambda found=found: found or found.extend(ledger.claim([number], other(BRIEF))))
        assert found[0].row.crashes == crashes


def test_a_released_row_can_be_claimed_at_once(ledger: Ledger, clerk: Any) -> None:
    claim = clerk.claim()
    ledger.release([claim])
    assert clerk.take(claim.id, other()).epoch == claim.epoch + 1


def test_an_expired_lease_is_free(ledger: Ledger, clerk: Any) -> None:
    (number,) = clerk.receive()
    clerk.take(number, other(BRIEF))
    until(lambda: ledger.claim([number], other()))


def test_a_renewed_lease_outlasts_its_first_period(ledger: Ledger, clerk: Any) -> None:
    one, two = clerk.receive("1", "2")
    brief = timedelta(milliseconds=50)
    kept, let_go = ledger.claim([one, two], other(brief))
    assert ledger.renew([kept], LONG) == (kept,)
    until(lambda: ledger.claim([let_go.id], other()))
    assert ledger.claim([kept.id], other()) == ()


def test_a_renewal_answers_only_the_claims_that_are_still_ours(ledger: Ledger, clerk: Any, lost: Claim) -> None:
    mine = clerk.claim("mine")
    assert ledger.renew([lost, mine], LONG) == (mine,)


def test_a_lease_of_a_process_that_is_gone_is_taken_at_once(ledger: Ledger, clerk: Any) -> None:
    program = "from postroom.ledger import Owner; print(Owner.current())"
    text = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()
    boot, namespace, pid, start, nonce = text.split("/")
    (number,) = clerk.receive()
    clerk.take(number, Lease(Owner(boot, namespace, int(pid), start, nonce), LONG))
    assert clerk.take(number, other()).row.crashes == 2


@pytest.mark.parametrize(
    ("part", "value"),
    [
        pytest.param("boot", "another machine", id="another boot"),
        pytest.param("namespace", "1", id="another container"),
        pytest.param("start", "", id="a system that does not tell"),
    ],
)
def test_an_owner_that_cannot_be_judged_counts_as_alive(part: str, value: str) -> None:
    current = Owner.current()
    parts = {name: getattr(current, name) for name in ("boot", "namespace", "pid", "start", "nonce")}
    assert not is_gone(str(Owner(**{**parts, "pid": 2**22 + 1, part: value})))


def test_an_owner_is_gone_when_its_number_belongs_to_a_later_process() -> None:
    current = Owner.current()
    assert not is_gone(str(current))
    assert is_gone(str(Owner(current.boot, current.namespace, current.pid, "1", current.nonce)))
    assert is_gone(str(Owner(current.boot, current.namespace, 2**22 + 1, current.start, current.nonce)))


def test_a_process_that_only_waits_to_be_reaped_is_gone() -> None:
    program = "from postroom.ledger import Owner; print(Owner.current(), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout is not None
        text = child.stdout.readline().strip()
        assert not is_gone(text)
        child.kill()
        # Not waited for: a zombie still has its number.
        until(lambda: is_gone(text))


@pytest.mark.parametrize("text", ["", "x", "a/b/c/d/e", "////"])
def test_an_owner_that_is_no_owner_counts_as_alive(text: str) -> None:
    assert not is_gone(text)


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(
            lambda ledger, claim: ledger.planned([PlanRecord(claim=claim, plan="{}", effects=())]),
            id="planned",
        ),
        pytest.param(lambda ledger, claim: ledger.started(claim, "a"), id="started"),
        pytest.param(
            lambda ledger, claim: ledger.report([Report(claim=claim, outcomes=(Done(key="a", receipt="{}"),))]),
            id="done",
        ),
        pytest.param(
            lambda ledger, claim: ledger.report(
                [Report(claim=claim, outcomes=(Later(key="a", error="x", at=datetime.now(UTC)),))]
            ),
            id="later",
        ),
        pytest.param(
            lambda ledger, claim: ledger.report([Report(claim=claim, outcomes=(Failed(key="a", error="x"),))]),
            id="failed",
        ),
        pytest.param(lambda ledger, claim: ledger.report([Report(claim=claim, settle=True)]), id="nothing but release"),
        pytest.param(lambda ledger, claim: ledger.postponed(claim, "x", datetime.now(UTC)), id="postponed"),
        pytest.param(lambda ledger, claim: ledger.dead(claim, "x"), id="dead"),
    ],
)
def test_a_write_under_a_lost_lease_is_fenced_and_changes_nothing(
    ledger: Ledger, clerk: Any, lost: Claim, write: Callable[[Ledger, Claim], None]
) -> None:
    before = clerk.show(lost.id)
    with pytest.raises(Fenced):
        write(ledger, lost)
    after = clerk.show(lost.id)
    assert after.row == before.row
    assert [effect.state for effect in after.effects] == [EffectState.PENDING, EffectState.PENDING]


def test_a_release_under_a_lost_lease_leaves_the_other_owner_alone(ledger: Ledger, clerk: Any, lost: Claim) -> None:
    ledger.release([lost])
    assert ledger.claim([lost.id], other()) == ()


def test_one_lost_claim_fences_the_whole_group_before_anything_is_written(
    ledger: Ledger, clerk: Any, lost: Claim
) -> None:
    mine = clerk.planned(clerk.effect("mine"), key="mine")
    reports = [
        Report(claim=mine, outcomes=(clerk.done("mine"),)),
        Report(claim=lost, outcomes=(clerk.done("a"),)),
    ]
    with pytest.raises(Fenced, match=str(lost.id)):
        ledger.report(reports)
    assert clerk.states(mine.id) == {"mine": "pending"}
    ledger.report(reports[:1])
    assert clerk.state(mine.id) == State.DONE


def test_a_lease_by_name_has_one_owner_until_it_expires(ledger: Ledger) -> None:
    one, two = Owner.current(), Owner.current()
    assert ledger.lease("support", one, LONG)
    assert not ledger.lease("support", two, LONG)
    assert ledger.lease("other", two, LONG)
    assert ledger.lease("support", one, BRIEF)
    until(lambda: ledger.lease("support", two, LONG))
    assert not ledger.lease("support", one, LONG)


def test_a_lease_by_name_can_be_given_up(ledger: Ledger) -> None:
    one, two = Owner.current(), Owner.current()
    assert ledger.lease("support", one, LONG)
    assert ledger.lease("support", one, timedelta())
    assert ledger.lease("support", two, LONG)


def test_leases_are_prolonged_together_and_only_by_their_owner(ledger: Ledger) -> None:
    one, two = Owner.current(), Owner.current()
    mine, theirs = [f"mailbox {number}" for number in range(600)], ["of another"]
    assert all(ledger.lease(name, one, timedelta(seconds=30)) for name in mine[:3])
    assert ledger.lease(theirs[0], two, LONG)
    assert ledger.prolong([*mine, *theirs], one, BRIEF) == frozenset(mine[:3])
    assert not ledger.lease(theirs[0], one, LONG)
    until(lambda: ledger.lease(mine[0], two, LONG))
    assert ledger.prolong(mine, one, LONG) == frozenset(mine[1:3])
