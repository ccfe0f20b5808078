"""Several processes on one ledger at once, some of them stopped or killed."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from postroom.ledger import Claim, Done, Lease, Ledger, Owner, Query, Report, State
from waiting import until

WORKER = Path(__file__).with_name("worker.py")
LONG = timedelta(minutes=5)


def start(task: str, url: str, file: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, WORKER, task, url, file], stdin=-1, stdout=-1, text=True)


def test_two_workers_drain_one_ledger_and_do_everything_once(
    shared_url: str, tmp_path: Path, make_clerk: Callable[[Ledger], Any]
) -> None:
    ledger = Ledger.open(shared_url)
    numbers = make_clerk(ledger).receive(*(f"key {number}" for number in range(120)))
    workers = [start("drain", shared_url, tmp_path / "done") for _ in range(2)]
    assert [worker.communicate(timeout=120)[0].split() for worker in workers] == [["open", "drained"]] * 2
    done = Counter((tmp_path / "done").read_text().split())
    assert done == Counter(f"effect-{number}" for number in numbers)
    assert {row.state for row in ledger.find(Query(limit=200))} == {State.SETTLED}
    ledger.close()


def test_a_worker_stopped_past_its_lease_does_nothing_when_it_goes_on(
    shared_url: str, tmp_path: Path, make_clerk: Callable[[Ledger], Any]
) -> None:
    ledger = Ledger.open(shared_url)
    (number,) = make_clerk(ledger).receive()
    with start("sleep", shared_url, tmp_path / "done") as worker:
        assert worker.stdout is not None
        assert [worker.stdout.readline(), worker.stdout.readline()] == ["open\n", "planned\n"]
        worker.send_signal(signal.SIGSTOP)
        mine: list[Claim] = []
        lease = Lease(Owner.current(), LONG)

        def take() -> bool:
            mine.extend(ledger.claim([number], lease))
            return bool(mine)

        until(take)
        worker.send_signal(signal.SIGCONT)
        # While we hold the row, and again after we have ended it.
        assert worker.communicate("go\n", timeout=60)[0] == "fenced\nfenced again\n"
    assert not (tmp_path / "done").exists()
    ledger.report([Report(claim=mine[0], outcomes=(Done(key=f"effect-{number}", receipt='"ours"'),), settle=True)])
    shown = ledger.show(number)
    assert shown is not None
    assert (shown.row.state, shown.effects[0].receipt, shown.row.error) == (State.SETTLED, '"ours"', None)
    ledger.close()


def test_a_killed_worker_leaves_its_plan_to_the_next_one_at_once(
    shared_url: str, tmp_path: Path, make_clerk: Callable[[Ledger], Any]
) -> None:
    ledger = Ledger.open(shared_url)
    clerk = make_clerk(ledger)
    program = (
        "import sys; from datetime import timedelta; from postroom.ledger import *\n"
        "ledger = Ledger.open(sys.argv[1])\n"
        "ledger.claim([int(sys.argv[2])], Lease(Owner.current(), timedelta(days=1)))\n"
        "print('claimed', flush=True); sys.stdin.read()\n"
    )
    (number,) = clerk.receive()
    command = [sys.executable, "-c", program, shared_url, str(number)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "claimed\n"
        assert ledger.claim([number], clerk.lease) == ()
        worker.kill()
        worker.wait()
    assert clerk.take(number).row.crashes == 2
    ledger.close()


def test_many_processes_that_open_a_new_ledger_together_make_it_once(shared_url: str, tmp_path: Path) -> None:
    workers = [start("open", shared_url, tmp_path / "none") for _ in range(6)]
    assert [worker.communicate(timeout=120)[0] for worker in workers] == ["open\n"] * 6
    assert [worker.returncode for worker in workers] == [0] * 6
