"""Running an operator's program: clean environment, bounded time, memory and output, killed as a whole."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from postroom.errors import Temporary

CHUNK = 1 << 16
# The shell sets the memory limit and becomes the program; it never reads the arguments as shell text. Setting
# the limit between fork and exec in Python instead can deadlock in a process that has threads.
LIMITED = ("/bin/sh", "-c", 'ulimit -v "$0" 2>/dev/null; exec "$@"')
MISSING = (126, 127)
_RUNNING: set[int] = set()  # leaders of process groups, none of them reaped yet
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a program ended. `status` is None where a signal or the time limit ended it. `output`: standard
    output, at most the limit; `overflow`: there was more.
    """

    status: int | None
    timed_out: bool
    output: bytes
    overflow: bool

    @property
    def missing(self) -> bool:
        """The program is not there or cannot be executed."""
        return self.status in MISSING

    def __str__(self) -> str:
        if self.timed_out:
            return "the program took too long and was killed"
        if self.status is None:
            return "the program was ended by a signal"
        if self.missing:
            return f"the program cannot be started (status {self.status}): is its path right?"
        return f"the program ended with status {self.status}"


def run(
    arguments: Sequence[str],
    *,
    stdin: Iterable[bytes | memoryview],
    timeout: timedelta,
    memory: int,
    env: Mapping[str, str],
    cwd: Path,
    output_limit: int = 1 << 16,
) -> Finished:
    """Run a program to its end. `memory`: octets of address space. `env` is added to PATH, HOME, USER, LANG.

    Standard error is not read. The program and whatever it left running are killed before this returns or
    raises, also when a signal handler raises. Raises Temporary where nothing can be started at all.
    """
    command = [*LIMITED, str(max(1, memory // 1024)), *map(_without_nul, arguments)]
    with _started(command, env={**environment(), **env}, cwd=cwd) as process:
        exchange = _Exchange(process, stdin, output_limit)
        ended = exchange.until(time.monotonic() + timeout.total_seconds())
    status = process.returncode if ended and process.returncode >= 0 else None
    return Finished(status=status, timed_out=not ended, output=bytes(exchange.output), overflow=exchange.overflow)


def end_all() -> None:
    """Kill every program that runs now; each `run` then answers that a signal ended it."""
    for pid in tuple(_RUNNING):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def environment() -> dict[str, str]:
    """What every program gets; nothing else of ours reaches it, secrets least of all."""
    known = {"PATH": PATH, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    return known | {name: os.environ[name] for name in ("HOME", "USER", "LOGNAME", "TZ") if name in os.environ}


def _without_nul(argument: str) -> str:
    return argument.replace("\0", "")


@contextmanager
def _started(command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    try:
        process = subprocess.Popen(  # noqa: S603 - the operator's own program and arguments
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: _without_nul(value) for name, value in env.items()},
            cwd=cwd,
            start_new_session=True,
            bufsize=0,
        )
    except OSError as error:
        raise Temporary(f"no program can be started in {cwd}: {error.strerror}") from error
    _RUNNING.add(process.pid)
    try:
        yield process
    finally:
        _RUNNING.discard(process.pid)
        # Before it is reaped, so that the group's number is still its own; it may have ended long ago.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


class _Exchange:
    """Feeds standard input and takes standard output side by side, so that neither side waits for the
    other.
    """

    def __init__(self, process: subprocess.Popen[bytes], stdin: Iterable[bytes | memoryview], limit: int) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._pid = process.pid
        self._in = process.stdin
        self._out = process.stdout.fileno()
        self._pieces = _pieces(stdin)
        self._rest: memoryview | None = None
        self._limit = limit
        self.output = bytearray()
        self.overflow = False
        for descriptor in (self._in.fileno(), self._out):
            os.set_blocking(descriptor, False)

    def until(self, deadline: float) -> bool:
        """Whether the program ended before then."""
        with selectors.DefaultSelector() as selector, _end_of(self._pid) as end:
            selector.register(self._in, selectors.EVENT_WRITE, self._write)
            selector.register(self._out, selectors.EVENT_READ, self._read)
            if end is not None:
                selector.register(end, selectors.EVENT_READ, None)
            while not self._ended():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                # Without a descriptor that tells the end of the program, look for it now and then.
                for key, _ in selector.select(left if end is not None else min(left, 0.05)):
                    if key.data is not None and not _going_on(key.data):
                        selector.unregister(key.fileobj)
                        if key.fileobj is self._in:
                            self._in.close()
        with suppress(BlockingIOError):
            # What lies in the pipe. A grandchild that holds it open, or floods it, is not waited for.
            for _ in range(64):
                self._read()
        return True

    def _ended(self) -> bool:
        return os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _write(self) -> bool:
        """Write what the pipe takes; False once all is written or nobody reads."""
        if self._rest is None:
            self._rest = next(self._pieces, None)
            if self._rest is None:
                return False
        try:
            written = os.write(self._in.fileno(), self._rest[:CHUNK])
        except BrokenPipeError:
            return False
        self._rest = self._rest[written:] if written < len(self._rest) else None
        return True

    def _read(self) -> bool:
        """Take what is there; False at the end."""
        data = os.read(self._out, CHUNK)
        room = self._limit - len(self.output)
        self.output += data[:room]
        self.overflow = self.overflow or len(data) > room
        return bool(data)


def _going_on(action: Callable[[], bool]) -> bool:
    try:
        return action()
    except BlockingIOError:  # ready a moment ago
        return True


def _pieces(chunks: Iterable[bytes | memoryview]) -> Iterator[memoryview]:
    for chunk in chunks:
        if len(chunk):
            yield memoryview(chunk)


@contextmanager
def _end_of(pid: int) -> Iterator[int | None]:
    """A descriptor that becomes readable when the process ends; None where the system has none."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)
