"""A worker process for the tests: works on one ledger beside others, and tells on standard output what it
does."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from postroom.errors import Fenced
from postroom.ledger import Claim, Done, EffectRecord, Lease, Ledger, Owner, PlanRecord, Report


def say(text: str) -> None:
    print(text, flush=True)


def perform(file: Path, key: str) -> None:
    """Leaves one line for every time that it is done."""
    with file.open("a") as lines:
        lines.write(f"{key}\n")


def plan(ledger: Ledger, claims: tuple[Claim, ...]) -> None:
    ledger.planned([PlanRecord(claim=claim, plan="{}", effects=(effect(claim),)) for claim in claims])


def effect(claim: Claim) -> EffectRecord:
    return EffectRecord(
        key=f"effect-{claim.id}",
        ordinal=0,
        word="exec",
        target="",
        place=False,
        repeatable=False,
        edits=0,
        detail="{}",
    )


def drain(ledger: Ledger, file: Path) -> None:
    """Work until nothing is due, in groups, as a worker of the service does."""
    lease = Lease(Owner.current(), timedelta(minutes=5))
    while ids := ledger.due(7):
        claims = ledger.claim(ids, lease)
        if not claims:
            continue
        plan(ledger, claims)
        for claim in claims:
            ledger.started(claim, effect(claim).key)
            perform(file, effect(claim).key)
        ledger.report([Report(claim=c, outcomes=(Done(key=effect(c).key, receipt="{}"),), settle=True) for c in claims])
    say("drained")


def sleep_through(ledger: Ledger, file: Path) -> None:
    """Claim with a short lease; when told to go on, do what a worker that lost its lease unawares does."""
    (claim,) = ledger.claim(ledger.due(1), Lease(Owner.current(), timedelta(milliseconds=300)))
    plan(ledger, (claim,))
    say("planned")
    sys.stdin.readline()
    try:
        ledger.started(claim, effect(claim).key)
        perform(file, effect(claim).key)
        ledger.report([Report(claim=claim, outcomes=(Done(key=effect(claim).key, receipt="{}"),))])
    except Fenced:
        say("fenced")
        try:
            ledger.postponed(claim, "late", datetime.now(UTC))
        except Fenced:
            say("fenced again")


def main() -> None:
    task, url, file = sys.argv[1:]
    ledger = Ledger.open(url)
    say("open")
    {"drain": drain, "sleep": sleep_through, "open": lambda *_: None}[task](ledger, Path(file))
    ledger.close()


if __name__ == "__main__":
    main()
