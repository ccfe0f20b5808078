"""A clerk who brings messages into the states that the cases start from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from postroom.ledger import (
    Arrival,
    Batch,
    Claim,
    Done,
    EffectRecord,
    Failed,
    Later,
    Lease,
    Ledger,
    Owner,
    PlanRecord,
    Recorded,
    Report,
    Row,
    Shown,
    State,
)

RECEIVED = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)


@dataclass
class Clerk:
    """Short words for what most cases do first."""

    ledger: Ledger
    mailbox: str = "stdin"
    lease: Lease = field(default_factory=lambda: Lease(Owner.current(), timedelta(minutes=5)))
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def arrival(self, key: str = "key", content: bytes | None = b"Subject: x\n\nbody\n") -> Arrival:
        return Arrival(source_key=key, pipeline="quickstart", received=RECEIVED, content=content)

    def receive(self, *keys: str) -> tuple[int, ...]:
        batch = Batch(arrivals=tuple(self.arrival(key) for key in keys or ("key",)))
        return tuple(self.recorded(answer) for answer in self.ledger.record(self.mailbox, batch))

    def recorded(self, answer: object) -> int:
        assert isinstance(answer, Recorded)
        assert answer.id is not None
        return answer.id

    def claim(self, key: str = "key") -> Claim:
        (number,) = self.receive(key)
        return self.take(number)

    def take(self, number: int, lease: Lease | None = None) -> Claim:
        (claim,) = self.ledger.claim([number], lease or self.lease)
        return claim

    def effect(self, key: str, ordinal: int = 0, *, place: bool = False, repeatable: bool = True) -> EffectRecord:
        return EffectRecord(
            key=key,
            ordinal=ordinal,
            word="keep" if place else "file",
            target="there",
            place=place,
            repeatable=repeatable,
            edits=1,
            detail='{"a": 1}',
        )

    def plan(self, claim: Claim, *effects: EffectRecord) -> Claim:
        self.ledger.planned([PlanRecord(claim=claim, plan='{"plan": 1}', effects=effects)])
        return claim

    def planned(self, *effects: EffectRecord, key: str = "key") -> Claim:
        return self.plan(self.claim(key), *effects)

    def report(
        self, claim: Claim, *outcomes: Done | Later | Failed, settle: bool = False, release: bool = True
    ) -> None:
        self.ledger.report([Report(claim=claim, outcomes=outcomes, settle=settle, release=release)])

    def done(self, key: str) -> Done:
        return Done(key=key, receipt=f'{{"for": "{key}"}}')

    def later(self, key: str, after: timedelta = timedelta(hours=1)) -> Later:
        return Later(key=key, error="away", at=datetime.now(UTC) + after)

    def settle(self, key: str = "key") -> int:
        """A message that went its whole way."""
        claim = self.planned(self.effect(f"effect of {key}"), key=key)
        self.report(claim, self.done(f"effect of {key}"), settle=True)
        return claim.id

    def kill(self, key: str = "key") -> int:
        """A message whose only effect is dead."""
        claim = self.planned(self.effect(f"effect of {key}"), key=key)
        self.report(claim, Failed(key=f"effect of {key}", error="refused"))
        return claim.id

    def show(self, number: int) -> Shown:
        shown = self.ledger.show(number)
        assert shown is not None
        return shown

    def row(self, number: int) -> Row:
        return self.show(number).row

    def state(self, number: int) -> State:
        return self.row(number).state

    def states(self, number: int) -> dict[str, str]:
        return {effect.record.key: effect.state.value for effect in self.show(number).effects}


@pytest.fixture
def clerk(ledger: Ledger) -> Clerk:
    return Clerk(ledger)


@pytest.fixture
def make_clerk() -> Callable[[Ledger], Clerk]:
    return Clerk
