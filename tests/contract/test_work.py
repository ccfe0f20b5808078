"""Many messages worked on together, on both kinds of ledger: nothing is done twice, and nothing is left undone."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from contract.shop import Shop, make_shop
from postroom.ledger import Claim, EffectState, Ledger, PlanRecord, Report, State
from postroom.testing import Home as InMailbox
from postroom.work import Seat
from postroom.work.claims import Keeper
from waiting import until

RUN = "{{exec: {{command: [/bin/sh, -c, 'echo x >> {}/ran'], delivers: false}}}}"
WAITING = (
    "{{exec: {{command: [/bin/sh, -c, 'cd {}; echo x >> began; until test -e go; do sleep 0.05; done'], "
    "delivers: false}}}}, keep"
)


@pytest.fixture
def shop(ledger: Ledger, tmp_path: Path) -> Shop:
    return make_shop(ledger, tmp_path)


def test_planning_again_does_not_repeat_what_is_recorded_as_done(shop: Shop) -> None:
    shop.rules(f"{RUN.format(shop.root)}, {{file: {{to: filed/}}}}, keep")
    [number] = shop.receive()
    shop.work([number])
    assert shop.ledger.replay(number, again=True)
    shop.work([number])
    assert shop.show(number).row.state is State.SETTLED
    assert shop.lines("ran") == ["x"]
    assert len(shop.mail("files/filed")) == 1
    assert len(shop.mail()) == 1


def test_a_planned_message_that_kills_its_workers_becomes_a_dead_letter_and_is_kept(shop: Shop) -> None:
    shop.rules("{file: {to: filed/}}")
    [number] = shop.receive()
    [claim] = shop.claim([number])
    # Planned, and then its worker was gone again and again: what it holds is given to the next each time.
    with pytest.raises(KeyboardInterrupt):
        killed(shop, [claim])
    for _ in range(shop.worker.retry.crashes):
        shop.abandon(number)
        [claim] = shop.claim([number])
        assert claim.row.plan is not None
    shop.process([claim])
    assert (shop.show(number).row.state, len(shop.mail())) == (State.DEAD, 1)
    # A person may let it go on where it was.
    assert shop.ledger.replay(number)
    shop.work([number])
    assert shop.show(number).row.state is State.SETTLED
    assert len(shop.mail("files/filed")) == 1


def test_a_message_of_which_an_effect_failed_for_good_is_not_remembered(shop: Shop) -> None:
    """A second copy of it is no duplicate: of the first nobody knows that all was done (RFC 7352)."""
    shop.rules("{duplicate: {by: raw}}, {exec: {command: [/bin/sh, -c, 'exit 65'], delivers: false}}")
    [number] = shop.receive()
    shop.work([number])
    shown = shop.show(number)
    states = {effect.record.word: effect.state for effect in shown.effects}
    assert (shown.row.state, states["remember"]) == (State.DEAD, EffectState.DEAD)


def killed(shop: Shop, claims: Sequence[Claim]) -> None:
    """Stops at the first effect, with the plan stored."""

    def die(number: int, _directory: Path, _path: Path) -> None:
        os.close(number)
        raise KeyboardInterrupt

    worker = shop.worker
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("postroom.transports.publishing.Together.publish", lambda self, *given: die(*given))
        worker.process_all(claims, lambda row: Seat(shop.home, lambda plan: True))


def test_what_is_slow_and_cannot_be_repeated_is_recorded_before_the_next_message_of_the_batch(shop: Shop) -> None:
    """Else a worker that dies in the middle of a batch would make all before it uncertain."""
    shop.home = InMailbox()
    shop.rules(RUN.format(shop.root).replace("echo", "sleep 0.05; echo"))
    numbers = shop.receive(3)
    standing: list[list[EffectState]] = []

    class Watching(Ledger):
        def report(self, reports: Sequence[Report]) -> None:
            standing.append([effect.state for number in numbers for effect in shop.show(number).effects])
            super().report(reports)

    shop.worker = replace(shop.worker, ledger=Watching(shop.ledger._database))
    shop.work(numbers)
    done, running = EffectState.DONE, EffectState.RUNNING
    assert standing[:3] == [[running, running, running], [done, running, running], [done, done, running]]
    assert {shop.show(number).row.state for number in numbers} == {State.SETTLED}
    assert shop.lines("ran") == ["x"] * 3


def test_a_place_that_fails_for_good_when_its_file_is_published_leaves_the_message_kept(shop: Shop) -> None:
    shop.rules("{move: Elsewhere}")
    # Its time is over since long, so that the next failure is the last.
    shop.worker = replace(shop.worker, retry=shop.worker.retry.model_copy(update={"for_": timedelta(seconds=-1)}))
    [number] = shop.receive()
    # No file can be renamed from one file system to another.
    folder = shop.root / "mail/.Elsewhere"
    (folder / "tmp").mkdir(parents=True)
    (folder / "cur").mkdir()
    others = [one for one in ("/dev/shm", "/tmp") if Path(one).stat().st_dev != folder.stat().st_dev]
    with TemporaryDirectory(dir=others[0]) as elsewhere:
        (folder / "new").symlink_to(elsewhere)
        shop.work([number])
        assert shop.show(number).row.state is State.PLANNED
        shop.due(number)
        shop.work([number])
    assert_kept_and_dead(shop, number)


def test_a_folder_that_cannot_be_is_a_dead_letter_and_the_message_is_kept(shop: Shop) -> None:
    shop.rules(f"{{move: {'x' * 260}}}")
    [number] = shop.receive()
    shop.work([number])
    assert_kept_and_dead(shop, number)
    assert "too long" in (shop.show(number).effects[0].error or "")
    assert shop.ledger.replay(number)
    shop.work([number])
    assert_kept_and_dead(shop, number)


def assert_kept_and_dead(shop: Shop, number: int) -> None:
    """The move that failed stays to be seen, and the message lies in the store once."""
    shown = shop.show(number)
    assert [(effect.record.word, effect.state) for effect in shown.effects] == [
        ("move", EffectState.DEAD),
        ("keep", EffectState.DONE),
    ]
    assert shown.row.state is State.DEAD
    assert len(shop.mail()) == 1


def test_a_worker_that_was_stopped_past_its_lease_reports_nothing_of_what_another_took_over(
    shared_url: str, tmp_path: Path
) -> None:
    """SIGSTOP in the middle of a batch; another takes over the first message; SIGCONT."""
    with closing(Ledger.open(shared_url)) as ledger:
        shop = make_shop(ledger, tmp_path)
        shop.rules(WAITING.format(shop.root))
        first, second = shop.receive(2)
        command = [sys.executable, "-m", "contract.shop", shared_url, tmp_path, str(first), str(second)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]) as stopped:
            until(lambda: shop.lines("began") == ["x"])
            stopped.send_signal(signal.SIGSTOP)
            shop.abandon(first)
            (tmp_path / "go").touch()
            shop.work([first])
            taken = shop.show(first)
            assert taken.row.state is State.SETTLED
            stopped.send_signal(signal.SIGCONT)
            assert stopped.communicate(timeout=60)[0].strip() == ""
        assert shop.show(first) == taken
        assert shop.show(second).row.state is State.SETTLED
        assert len(shop.mail()) == 2


def test_what_is_rung_for_twice_at_once_is_worked_on_once_and_without_complaint(shop: Shop) -> None:
    shop.rules("keep")
    [number] = shop.receive()
    keeper = Keeper(shop.ledger, shop.log)
    shop.labour(keeper).process([number])
    # Nothing to claim, in two threads at a time.
    meeting = threading.Barrier(2)

    class Meeting(Ledger):
        def contents(self, names: Collection[str]) -> Mapping[str, bytes]:
            meeting.wait(60)
            return super().contents(names)

    shop.worker = replace(shop.worker, ledger=Meeting(shop.ledger._database))
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(shop.labour(keeper).process, [[number], [number]]))
    keeper.close()
    assert "work.failed" not in shop.log.events
    assert shop.show(number).row.state is State.SETTLED


def test_an_unexpected_error_counts_as_a_crash_so_that_its_message_comes_alone_next_time(shop: Shop) -> None:
    shop.rules("keep")
    [number] = shop.receive()

    class Broken(Ledger):
        def planned(self, plans: Sequence[PlanRecord]) -> Mapping[str, str | None]:
            raise LookupError

    sound = shop.worker
    shop.worker = replace(shop.worker, ledger=Broken(shop.ledger._database))
    keeper = Keeper(shop.ledger, shop.log)
    shop.labour(keeper).process([number])
    assert shop.log.events == ["work.failed"]
    shop.abandon(number)
    assert shop.ledger.ring(10, patience=timedelta(0)) == {number: True}
    shop.worker = sound
    shop.labour(keeper).process([number])
    keeper.close()
    assert shop.show(number).row.state is State.SETTLED
