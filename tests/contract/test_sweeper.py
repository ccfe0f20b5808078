"""The sweeper rings for what is due, removes what is over, and is never brought to an end by what fails."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from postroom.ledger import Arrival, Batch, Lease, Ledger, Owner, Query, Recorded, Retained, Retention
from postroom.ledger.statements import sql
from postroom.queue import Bell, make_app
from postroom.settings.model import Queue
from postroom.spool import Spool
from postroom.sweeper import CALM, MOST, ROUNDS, Clock, Sweeper, swept
from quiet import Quiet

AT_ONCE = timedelta(0)


class Rings(Bell):
    """What was rung for, together."""

    def __init__(self) -> None:
        settings = Queue(url="memory://", name=f"sweeper{time.monotonic_ns()}")
        super().__init__(make_app(settings, lambda ids: None), settings, Quiet(), told=lambda reason, number: None)
        self.groups: list[list[int]] = []

    def ring_again(self, ids: Sequence[int]) -> bool:
        self.groups.append(list(ids))
        return super().ring_again(ids)


@dataclass
class Yard:
    ledger: Ledger
    spool: Spool
    rings: Rings
    log: Quiet = field(default_factory=Quiet)
    backlog: int = 0

    def sweeper(
        self, ledger: Ledger | None = None, *, retention: Retention | None = None, clock: Clock | None = None
    ) -> Sweeper:
        return Sweeper(
            ledger or self.ledger,
            self.spool,
            self.rings,
            self.log,
            owner=Owner.current(),
            retention=retention or Retention(settled=None),
            leaving=["stdin"],
            backlog=lambda: self.backlog,
            batch=2,
            volatile=True,
            clock=clock,
        )

    def set_back(self, hours: int) -> None:
        """As if the database's clock had been set back: all that is written down is of a later time."""
        later = hours * 3600 * 1_000_000
        with self.ledger._database.writing() as connection:
            for statement in (
                "UPDATE message SET rung_at = rung_at + :later, received_at = received_at + :later",
                "UPDATE message SET next_try_at = next_try_at + :later WHERE next_try_at > 0",
                "UPDATE message SET lease_until = lease_until + :later WHERE lease_until > 0",
                "UPDATE lease SET until = until + :later",
                "UPDATE memory SET until = until + :later",
            ):
                connection.run(sql(statement), later=later)

    def receive(self, *keys: str, mailbox: str = "m") -> list[int]:
        now = datetime.now(UTC)
        batch = Batch(arrivals=tuple(Arrival(source_key=k, pipeline="p", received=now, content=b"x") for k in keys))
        answers = self.ledger.record(mailbox, batch)
        return [answer.id for answer in answers if isinstance(answer, Recorded) and answer.id is not None]


@contextmanager
def closing(rings: Rings) -> Iterator[Rings]:
    yield rings
    rings.close()


@pytest.fixture
def yard(ledger: Ledger, tmp_path: Path) -> Iterator[Yard]:
    with closing(Rings()) as rings:
        yield Yard(ledger, Spool(tmp_path / "spool"), rings)


def gone() -> Owner:
    """A process that was on this machine, and has ended."""
    program = "from postroom.ledger import Owner; print(Owner.current())"
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.strip()
    boot, namespace, pid, start, nonce = told.split("/")
    return Owner(boot, namespace, int(pid), start, nonce)


def test_it_rings_in_groups_for_what_nobody_has_taken_and_leaves_standard_input_alone(yard: Yard) -> None:
    ids = yard.receive("a", "b", "c")
    yard.receive("theirs", mailbox="stdin")
    sweeper = yard.sweeper()
    assert sweeper.sweep() == 3
    assert yard.rings.groups == [ids[:2], ids[2:]]
    # They were rung for just now.
    assert sweeper.sweep() == 0


def test_what_an_earlier_process_has_rung_for_is_rung_for_at_once_however_much_it_is(yard: Yard) -> None:
    yard.receive(*map(str, range(MOST + 1)))
    with yard.ledger._database.writing() as connection:
        connection.run(sql("UPDATE message SET rung_at = rung_at - 1000000"))
    sweeper = yard.sweeper()
    assert [sweeper.sweep(), sweeper.sweep(), sweeper.sweep()] == [MOST, 1, 0]


def test_what_a_dead_worker_held_is_rung_for_at_once_alone_and_once(yard: Yard) -> None:
    ids = yard.receive("a", "b", "c")
    sweeper = yard.sweeper()
    assert sweeper.sweep() == 3
    assert len(yard.ledger.claim(ids[1:], Lease(gone(), timedelta(minutes=3)))) == 2
    yard.rings.groups.clear()
    assert sweeper.sweep() == 2
    assert yard.rings.groups == [[ids[1]], [ids[2]]]
    # Its task waits in the queue: another would only make that longer.
    assert sweeper.sweep() == 0
    [claim] = yard.ledger.claim([ids[1]], Lease(Owner.current(), timedelta(minutes=3)))
    assert claim.row.crashes == 2


def test_it_adds_nothing_to_a_queue_that_is_long_already(yard: Yard) -> None:
    yard.receive("a")
    yard.backlog = 10_000
    assert yard.sweeper().sweep() == 0


def test_only_one_process_sweeps_at_a_time(yard: Yard) -> None:
    yard.receive("a")
    first, second = yard.sweeper(), yard.sweeper()
    assert first.sweep() == 1
    yard.receive("b")
    assert second.sweep() == 0


def test_what_is_over_is_removed_in_as_many_sweeps_as_it_takes(yard: Yard) -> None:
    class Slow(Ledger):
        """As if there were more than one sweep removes."""

        def retain(self, policy: Retention, *, limit: int = 500) -> Retained:
            return super().retain(policy, limit=1)

    for number in yard.receive(*map(str, range(ROUNDS + 3))):
        yard.ledger.drop(number, "over")
    sweeper = yard.sweeper(Slow(yard.ledger._database), retention=Retention(settled=AT_ONCE))
    sweeper.sweep()
    assert len(yard.ledger.find(Query())) == 3
    sweeper.sweep()
    assert yard.ledger.find(Query()) == ()


def test_blobs_without_a_row_are_collected_after_a_day_and_others_never(yard: Yard, tmp_path: Path) -> None:
    old = Spool(tmp_path / "spool", names=iter(["20260101T000000.000000-0123456789abcdef"] * 2).__next__)
    orphan = old.write([b"x"])
    kept = yard.spool.write([b"x"])
    yard.sweeper().sweep()
    names = list(yard.spool.listing(datetime.now(UTC) + timedelta(days=1)))
    assert (orphan.name in names, kept.name in names) == (False, True)


def test_a_sweep_that_fails_unexpectedly_is_told_and_not_the_last(yard: Yard) -> None:
    class Broken(Ledger):
        calls = 0

        def ring(self, limit: int, *, leaving: object = (), patience: timedelta) -> Mapping[int, bool]:
            Broken.calls += 1
            if Broken.calls == 1:
                raise LookupError
            return super().ring(limit, patience=patience)

    [number] = yard.receive("a")
    sweeper = yard.sweeper(Broken(yard.ledger._database))
    swept(sweeper, yard.log)
    assert yard.log.events == ["sweep.failed"]
    swept(sweeper, yard.log)
    assert yard.rings.groups == [[number]]


def test_what_was_due_before_the_clock_was_set_back_is_rung_for_now(yard: Yard) -> None:
    [number] = yard.receive("a")
    now = [0.0]
    sweeper = yard.sweeper(clock=Clock(clock=lambda: now[0], steady=lambda: 0.0))
    assert sweeper.sweep() == 1
    yard.set_back(24)
    now[0] -= 24 * 3600.0
    sweeper.sweep()
    assert "clock.set" in yard.log.events
    with yard.ledger._database.reading() as connection:
        [late] = connection.column("late", sql("SELECT rung_at > NOW AS late FROM message WHERE id = :id"), id=number)
    assert not late
    # And a process that starts after it finds it at once.
    yard.set_back(24)
    assert yard.sweeper().sweep() == 1


def test_a_next_try_does_not_wait_for_a_clock_that_was_set_back(yard: Yard) -> None:
    [number] = yard.receive("a")
    with yard.ledger._database.writing() as connection:
        connection.run(sql("UPDATE message SET next_try_at = NOW + 60000000"))
    now = [0.0]
    sweeper = yard.sweeper(clock=Clock(clock=lambda: now[0], steady=lambda: 0.0))
    assert sweeper.sweep() == 0
    yard.set_back(24)
    now[0] -= 24 * 3600.0
    assert sweeper.sweep() == 1
    assert yard.rings.groups == [[number]]


def test_a_clock_that_is_set_ahead_takes_no_work_from_those_who_do_it(yard: Yard) -> None:
    ids = yard.receive("a")
    now, steady = [0.0], [0.0]
    sweeper = yard.sweeper(clock=Clock(clock=lambda: now[0], steady=lambda: steady[0]))
    assert sweeper.sweep() == 1
    assert len(yard.ledger.claim(ids, Lease(Owner.current(), timedelta(minutes=3)))) == 1
    yard.set_back(-24)
    now[0] += 24 * 3600.0
    assert sweeper.sweep() == 0
    assert sweeper.sweep() == 0  # and not a moment later
    assert Lease(Owner.current(), timedelta(minutes=3)).period.total_seconds() / 4 < CALM


def test_a_lease_by_name_outlives_no_clock_that_is_set_back(yard: Yard) -> None:
    first, second = Owner.current(), Owner.current()
    assert yard.ledger.lease("mailbox a", first, timedelta(minutes=1))
    assert not yard.ledger.lease("mailbox a", second, timedelta(minutes=1))
    yard.set_back(24)
    assert yard.ledger.lease("mailbox a", second, timedelta(minutes=1))


def test_a_rate_waits_for_no_clock_that_is_set_back(yard: Yard) -> None:
    assert yard.ledger.spend("slow", 1, 1) == AT_ONCE
    assert yard.ledger.spend("slow", 1, 1) > AT_ONCE
    yard.set_back(24)
    assert yard.ledger.spend("slow", 1, 1) == AT_ONCE
    assert AT_ONCE < yard.ledger.spend("slow", 1, 1) <= timedelta(minutes=1)
