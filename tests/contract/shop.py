"""A worker with real parts, for tests of what becomes of many messages; run as a program, the worker of another
process.
"""

import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from postroom.ledger import Arrival, Batch, Claim, Lease, Ledger, Owner, Recorded, Shown
from postroom.ledger.statements import sql
from postroom.message import Limits
from postroom.pipeline.view import Home
from postroom.settings import load, load_pipelines
from postroom.spool import Spool
from postroom.steps.store import Store
from postroom.testing import tools
from postroom.work import Seat, Worker
from postroom.work.claims import Keeper, Labour
from quiet import Quiet

PERIOD = timedelta(minutes=3)
SETTINGS = """\
state: state
mailboxes:
  m: {url: 'stdin:', pipeline: main, store: mail, state: state}
"""
LETTER = b"From: a@b.example\nSubject: hello\n\nbody\n"


@dataclass
class Shop:
    """A worker with a real pipeline, store and ledger."""

    root: Path
    ledger: Ledger
    worker: Worker
    home: Home
    log: Quiet

    def rules(self, steps: str) -> None:
        (self.root / "pipelines/main.yaml").write_text(f"name: main\nrules:\n  - {{name: all, do: [{steps}]}}\n")

    def receive(self, number: int = 1) -> list[int]:
        arrivals = tuple(
            Arrival(source_key=f"k{each}", pipeline="main", received=datetime.now(UTC), content=LETTER)
            for each in range(number)
        )
        answers = self.ledger.record("m", Batch(arrivals=arrivals))
        return [answer.id for answer in answers if isinstance(answer, Recorded) and answer.id is not None]

    def claim(self, numbers: Collection[int], period: timedelta = PERIOD) -> tuple[Claim, ...]:
        return self.ledger.claim(numbers, Lease(Owner.current(), period))

    def work(self, numbers: Collection[int]) -> None:
        self.process(self.claim(numbers))

    def process(self, claims: Sequence[Claim]) -> None:
        self.worker.process_all(claims, lambda row: Seat(self.home, lambda plan: True))

    def labour(self, keeper: Keeper) -> Labour:
        seat = Seat(self.home, lambda plan: True)
        return Labour(self.worker, keeper, lambda row: seat, lambda mailboxes: None)

    def abandon(self, number: int) -> None:
        """Its lease runs out."""
        with self.ledger._database.writing() as connection:
            connection.run(sql(f"UPDATE message SET lease_until = 0 WHERE id = {number}"))

    def due(self, number: int) -> None:
        """The time of its next try has come."""
        with self.ledger._database.writing() as connection:
            connection.run(sql(f"UPDATE message SET next_try_at = 0 WHERE id = {number}"))
            connection.run(sql(f"UPDATE effect SET next_try_at = 0 WHERE message = {number}"))

    def show(self, number: int) -> Shown:
        shown = self.ledger.show(number)
        assert shown is not None
        return shown

    def mail(self, folder: str = "mail") -> list[Path]:
        return [path for sub in ("new", "cur") for path in (self.root / folder / sub).glob("*")]

    def lines(self, name: str) -> list[str]:
        path = self.root / name
        return path.read_text().split() if path.exists() else []


def make_shop(ledger: Ledger, root: Path) -> Shop:
    """In that directory, made new or as another process has made it."""
    (root / "pipelines").mkdir(exist_ok=True)
    (root / "postroom.yaml").write_text(SETTINGS)
    settings = load(root / "postroom.yaml")
    log = Quiet()
    worker = Worker(
        ledger=ledger,
        spool=Spool(root / "spool"),
        tools=tools(root, clock=lambda: datetime.now(UTC), limits=Limits()),
        pipelines=lambda name: load_pipelines(settings, [name]),
        retry=settings.retry,
        log=log,
    )
    return Shop(root, ledger, worker, Store(str(root / "mail"), passes=False), log)


def main() -> None:
    """Work on some messages as a task of the queue does."""
    url, root, *numbers = sys.argv[1:]
    ledger = Ledger.open(url)
    shop = make_shop(ledger, Path(root))
    keeper = Keeper(ledger, shop.log)
    shop.labour(keeper).process([int(number) for number in numbers])
    keeper.close()
    ledger.close()
    print(*(event for event in shop.log.events if event == "work.failed"))


if __name__ == "__main__":
    main()
