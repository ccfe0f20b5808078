"""What was begun and did not end is counted over the death of a process."""

import os
import time
from pathlib import Path

import pytest

from postroom.errors import Temporary
from postroom.tally import KEPT, Tally


def crash(tally: Tally, name: str, error: type[BaseException] = ZeroDivisionError) -> None:
    with pytest.raises(error), tally.counted(name):
        raise error


def test_what_ends_is_not_counted(tmp_path: Path) -> None:
    tally = Tally(tmp_path / "tally")
    with tally.counted("a"):
        pass
    assert tally.unfinished("a") == 0
    assert list((tmp_path / "tally").iterdir()) == []


def test_an_error_of_ours_is_an_end(tmp_path: Path) -> None:
    tally = Tally(tmp_path)
    with pytest.raises(Temporary), tally.counted("a"):
        raise Temporary("away")
    assert tally.unfinished("a") == 0


@pytest.mark.parametrize("error", [ZeroDivisionError, RecursionError, MemoryError, SystemExit])
def test_any_other_error_is_none(tmp_path: Path, error: type[BaseException]) -> None:
    tally = Tally(tmp_path)
    for _ in range(2):
        crash(tally, "a", error)
    assert (tally.unfinished("a"), tally.unfinished("b")) == (2, 0)


def test_a_process_that_died_is_counted_by_the_next(tmp_path: Path) -> None:
    for before in range(3):
        assert Tally(tmp_path).unfinished("a") == before
        child = os.fork()
        if not child:
            with Tally(tmp_path).counted("a"):
                os._exit(0)
        os.waitpid(child, 0)
    assert Tally(tmp_path).unfinished("a") == 3


def test_what_goes_on_in_this_process_is_not_counted(tmp_path: Path) -> None:
    tally = Tally(tmp_path)
    with tally.counted("a"), tally.counted("a"):
        assert tally.unfinished("a") == 0
        assert Tally(tmp_path).unfinished("a") == 2
    assert Tally(tmp_path).unfinished("a") == 0


def test_a_good_end_is_the_end_of_the_count(tmp_path: Path) -> None:
    tally = Tally(tmp_path)
    crash(tally, "a")
    with tally.counted("a"):
        pass
    assert tally.unfinished("a") == 0


def test_where_the_disk_refuses_nothing_is_counted(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    tally = Tally(tmp_path / "file")
    crash(tally, "a")
    assert tally.unfinished("a") == 0


def test_what_nobody_came_back_for_is_forgotten(tmp_path: Path) -> None:
    crash(Tally(tmp_path), "old")
    crash(Tally(tmp_path), "new")
    then = time.time() - KEPT - 1
    os.utime(tmp_path / "old", (then, then))
    crash(Tally(tmp_path), "other")
    assert (Tally(tmp_path).unfinished("old"), Tally(tmp_path).unfinished("new")) == (0, 1)
