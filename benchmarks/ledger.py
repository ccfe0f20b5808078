"""Messages per second through the ledger alone: record with claim, plan, and report, in batches of 1 and 100.

python benchmarks/ledger.py [--messages N] [--rounds N] [--postgresql URL] [--directory DIR] [--profile]

Printed per kind and batch: messages per second, milliseconds of CPU in this process per message (the budget
for all work on a message is one), and commits. Then a new process: import, open, one message in its three
commits. Medians.
"""

import argparse
import cProfile
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from postroom.ledger import (
    Arrival,
    Batch,
    Done,
    EffectRecord,
    Lease,
    Ledger,
    Owner,
    PlanRecord,
    Recorded,
    Report,
)

PLAN = '{"pipeline": "support", "effects": []}' + " " * 1200
DETAIL = '{"folder": "Archive/2026", "create": true}'
EFFECTS = 2


@dataclass(frozen=True)
class Measured:
    per_second: float
    cpu: float  # milliseconds a message


class Load:
    """One kind of ledger under one batch size."""

    def __init__(self, ledger: Ledger, batch: int, size: int) -> None:
        self._ledger = ledger
        self._batch = batch
        self._lease = Lease(Owner.current(), timedelta(minutes=5))
        self._content = [bytes([65 + number % 26]) * size for number in range(batch)]
        self._numbers = count()

    def run(self, messages: int) -> Measured:
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(messages // self._batch):
            self._turn()
        elapsed, cpu = time.perf_counter() - start, time.process_time() - cpu
        return Measured(messages / elapsed, cpu / messages * 1000)

    def _turn(self) -> None:
        answers = self._ledger.record("bench", Batch(arrivals=self._arrivals()), lease=self._lease)
        claims = [answer.claim for answer in answers if isinstance(answer, Recorded) and answer.claim]
        assert len(claims) == self._batch
        self._ledger.planned([PlanRecord(claim=c, plan=PLAN, effects=_effects(c.id)) for c in claims])
        reports = [Report(claim=c, outcomes=_outcomes(c.id), settle=True, outcome="moved") for c in claims]
        self._ledger.report(reports)

    def _arrivals(self) -> tuple[Arrival, ...]:
        return tuple(
            Arrival(
                source_key=f"{id(self)}-{next(self._numbers)}",
                pipeline="support",
                received=datetime.now(UTC),
                content=content,
                sender="sender@example.com",
                recipients=("support@example.com",),
                message_id=f"<{next(self._numbers)}@example.com>",
            )
            for content in self._content
        )


def _effects(message: int) -> tuple[EffectRecord, ...]:
    return tuple(
        EffectRecord(
            key=f"{message}-{ordinal}",
            ordinal=ordinal,
            word="file",
            target="Archive/2026",
            place=ordinal == EFFECTS - 1,
            repeatable=True,
            edits=0,
            detail=DETAIL,
        )
        for ordinal in range(EFFECTS)
    )


def _outcomes(message: int) -> tuple[Done, ...]:
    return tuple(Done(key=f"{message}-{ordinal}", receipt='{"detail": "x"}') for ordinal in range(EFFECTS))


def measure(url: str, batch: int, messages: int, rounds: int) -> Measured:
    ledger = Ledger.open(url)
    load = Load(ledger, batch, 2000)
    load.run(batch)  # compiles the statements
    results = [load.run(messages) for _ in range(rounds)]
    ledger.close()
    cpu = statistics.median(result.cpu for result in results)
    return Measured(statistics.median(result.per_second for result in results), cpu)


ONE = """
import sys, time
start = time.perf_counter()
from postroom.ledger import *
imported = time.perf_counter()
sys.path.insert(0, sys.argv[2])
ledger = Ledger.open(sys.argv[1]); opened = time.perf_counter()
from ledger import Load
loaded = time.perf_counter()
Load(ledger, 1, 2000).run(1); worked = time.perf_counter()
ledger.close(); closed = time.perf_counter()
print(imported - start, opened - imported, worked - loaded, closed - worked)
"""


def fresh_process(url: str, rounds: int) -> Sequence[float]:
    """Milliseconds in a new process: import, open, one message, close."""
    command = [sys.executable, "-c", ONE, url, str(Path(__file__).parent)]
    times = [
        [float(field) * 1000 for field in subprocess.run(command, check=True, capture_output=True).stdout.split()]
        for _ in range(rounds)
    ]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgresql", metavar="URL", help="an empty database")
    parser.add_argument("--directory", type=Path, help="where the SQLite file is made; default: the temporary one")
    parser.add_argument("--profile", action="store_true", help="SQLite in batches of 100 under cProfile, and no more")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        if options.profile:
            with cProfile.Profile() as profile:
                measure(f"sqlite:///{directory}/profile.db", 100, options.messages, 1)
            pstats.Stats(profile).sort_stats("tottime").print_stats(30)
            return
        print("| ledger | batch | messages/s | CPU ms/message |\n|---|---|---|---|")
        for batch in (1, 100):
            urls = {"memory": "sqlite://", "sqlite": f"sqlite:///{directory}/{batch}.db"}
            if options.postgresql:
                urls["postgresql"] = options.postgresql
            for kind, url in urls.items():
                result = measure(url, batch, options.messages if batch > 1 else options.messages // 5, options.rounds)
                print(f"| {kind} | {batch} | {result.per_second:,.0f} | {result.cpu:.3f} |", flush=True)
        url = f"sqlite:///{directory}/fresh.db"
        Ledger.open(url).close()
        names = ("import", "open", "one message", "close")
        print(
            "\nA new process: "
            + ", ".join(f"{n} {t:.1f} ms" for n, t in zip(names, fresh_process(url, 9), strict=True))
        )


if __name__ == "__main__":
    main()
