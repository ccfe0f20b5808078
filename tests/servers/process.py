"""The process of a server: a directory of its own, a start that is waited for, and an end that leaves nothing."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_PATIENCE = 90  # seconds, on a machine that has much else to do


@contextmanager
def home(name: str, mode: int = 0o700) -> Iterator[Path]:
    """A directory for one server. Its path is short enough for UNIX sockets below it (107 octets)."""
    base = tempfile.gettempdir()
    made = Path(tempfile.mkdtemp(prefix=f"postroom-{name}-", dir=base if len(base) < 40 else "/tmp"))
    made.chmod(mode)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def running(
    command: Sequence[str | Path], directory: Path, stop: signal.Signals = signal.SIGTERM, **options: Any
) -> Iterator["subprocess.Popen[bytes]"]:
    """In that directory; what it says is in its file `output`. In the end it is told to stop, and nobody whom it has
    started is left. `options`: further ones of Popen."""
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, cwd=directory, start_new_session=True, **options
        )
    try:
        yield process
    finally:
        process.send_signal(stop)
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def await_listener(process: "subprocess.Popen[bytes]", address: str | tuple[str, int], log: Path | None = None) -> None:
    """Until it listens on a port, or on a UNIX socket. `log`: told where it does not start."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET

    def listens() -> bool:
        with suppress(OSError), socket.socket(family) as probe:
            probe.connect(address)
            return True
        return False

    await_answer(process, listens, log)


def await_answer(process: "subprocess.Popen[bytes]", answers: Callable[[], bool], log: Path | None = None) -> None:
    """Until the server answers."""
    end = time.monotonic() + _PATIENCE
    while not answers():
        if process.poll() is not None or time.monotonic() > end:
            told = log.read_text(errors="replace")[-3000:] if log and log.exists() else ""
            raise AssertionError(f"{process.args!r} did not start: {told}")
        time.sleep(0.02)
