import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from postroom.errors import Temporary
from postroom.transports import process
from waiting import until

MEMORY = 512_000_000
LONG = timedelta(seconds=60)


def run(
    *arguments: str,
    stdin: Iterable[bytes | memoryview] = (),
    timeout: timedelta = LONG,
    memory: int = MEMORY,
    env: Mapping[str, str] | None = None,
    cwd: Path = Path("/"),
    limit: int = 65536,
) -> process.Finished:
    return process.run(
        arguments, stdin=stdin, timeout=timeout, memory=memory, env=env or {}, cwd=cwd, output_limit=limit
    )


def test_a_program_reads_the_chunks_and_its_output_is_taken() -> None:
    finished = run("/bin/cat", stdin=[b"one ", memoryview(b"two"), b""])
    assert (finished.status, finished.output, finished.overflow) == (0, b"one two", False)


@pytest.mark.parametrize("status", [0, 1, 75, 255])
def test_the_exit_status_is_told(status: int) -> None:
    assert run("/bin/sh", "-c", f"exit {status}").status == status


def test_a_signal_leaves_no_status() -> None:
    finished = run("/bin/sh", "-c", "kill -9 $$")
    assert finished.status is None
    assert not finished.timed_out


@pytest.mark.parametrize("program", ["/no/such/program", "/etc/hostname", "no-such-program-on-the-path"])
def test_a_program_that_cannot_be_started_says_so(program: str) -> None:
    finished = run(program)
    assert finished.missing
    assert "cannot be started" in str(finished)


def test_a_missing_directory_is_temporary(tmp_path: Path) -> None:
    with pytest.raises(Temporary, match="no program can be started"):
        run("/bin/true", cwd=tmp_path / "missing")


def test_a_program_that_ignores_its_input_holds_up_nothing() -> None:
    assert run("/bin/true", stdin=[b"x" * 65536] * 400).status == 0


def test_a_program_that_writes_before_it_reads_does_not_deadlock() -> None:
    script = "head -c 3000000 /dev/zero; cat >/dev/null"
    finished = run("/bin/sh", "-c", script, stdin=[b"x" * 65536] * 50)
    assert (finished.status, len(finished.output), finished.overflow) == (0, 65536, True)


def test_a_flood_of_output_is_bounded_and_drained() -> None:
    finished = run("/bin/sh", "-c", "head -c 20000000 /dev/zero", limit=10)
    assert (finished.status, finished.output, finished.overflow) == (0, b"\0" * 10, True)


def test_the_time_limit_kills_the_program_and_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 1000 & echo $! >> {pids}; echo $$ >> {pids}; wait"
    finished = run("/bin/sh", "-c", script, timeout=timedelta(seconds=2))
    assert finished.timed_out
    assert finished.status is None
    assert all(gone(int(pid)) for pid in pids.read_text().split())


def test_what_a_program_left_running_is_killed_at_its_end(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    finished = run("/bin/sh", "-c", f"sleep 1000 & echo $! > {pid}; exit 0")
    assert finished.status == 0
    assert gone(int(pid.read_text()))


def test_a_program_that_multiplies_is_killed_with_all_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    child = f"sh -c 'echo $$ >> {pids}; exec sleep 1000' &"
    script = f"for i in 1 2 3 4 5 6 7 8; do {child} {child} done; wait"
    assert run("/bin/sh", "-c", script, timeout=timedelta(seconds=2)).timed_out
    numbers = pids.read_text().split()
    assert numbers
    assert all(gone(int(pid)) for pid in numbers)


def test_a_child_that_holds_the_output_open_is_not_waited_for(tmp_path: Path) -> None:
    started = time.monotonic()
    assert run("/bin/sh", "-c", "sleep 1000 & echo out").output == b"out\n"
    assert time.monotonic() - started < 50


def test_a_signal_handler_that_raises_kills_the_program(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    def stdin() -> Iterator[bytes]:
        while not pid.exists() or not pid.read_text():
            yield b"x\n"
        raise SystemExit("stopped")

    with pytest.raises(SystemExit):
        run("/bin/sh", "-c", f"echo $$ > {pid}; exec sleep 1000", stdin=stdin())
    assert gone(int(pid.read_text()))


def test_a_program_that_closes_its_input_early_is_not_an_error() -> None:
    assert run("/bin/sh", "-c", "exec 0<&-; exit 3", stdin=[b"x" * 65536] * 100).status == 3


def test_the_environment_holds_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    output = run("/usr/bin/env", env={"POSTROOM_KEY": "k"}).output
    assert b"hunter2" not in output
    names = {line.partition(b"=")[0].decode() for line in output.splitlines()}
    known = {"PATH", "LANG", "LC_ALL", "HOME", "USER", "LOGNAME", "TZ", "POSTROOM_KEY"}
    assert names - known <= {"PWD", "OLDPWD", "SHLVL", "_"}  # what shells set themselves
    assert {"PATH", "LANG", "POSTROOM_KEY"} <= names


def test_arguments_are_passed_on_as_they_are() -> None:
    arguments = ["a b", "$(touch /tmp/x)", "'; exit 9", "-e", "*", "line\nbreak", "nul\0l"]
    finished = run(sys.executable, "-c", "import sys; print(ascii(sys.argv[1:]))", *arguments)
    assert finished.output.decode().strip() == ascii([*arguments[:-1], "null"])


def test_the_memory_limit_holds() -> None:
    finished = run(sys.executable, "-c", "b = bytearray(1 << 30); print(len(b))", memory=300_000_000)
    assert finished.status == 1
    assert run(sys.executable, "-c", "b = bytearray(1 << 20); print(len(b))", memory=300_000_000).status == 0


def test_programs_run_from_several_threads_at_once() -> None:
    results: list[bytes] = []

    def attempt(number: int) -> None:
        results.append(run("/bin/cat", stdin=[b"%d" % number]).output)

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [b"%d" % n for n in range(8)]


def descriptors() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def test_no_descriptor_is_left_open() -> None:
    before = descriptors()
    run("/bin/cat", stdin=[b"x"])
    run("/bin/sh", "-c", "sleep 100", timeout=timedelta(milliseconds=50))
    assert descriptors() == before


def gone(pid: int) -> bool:
    """Gone, or dead and waiting for whoever adopted it to look; a signal takes its moment to arrive."""

    def is_gone() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return True

    until(is_gone)
    return True
