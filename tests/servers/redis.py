"""A private Redis on a free port of 127.0.0.1, which can be killed and started again with what it had."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from servers import process
from servers.ports import free_port

_BINARY = shutil.which("redis-server") or "/usr/bin/redis-server"


def is_installed() -> bool:
    return Path(_BINARY).exists()


class Redis:
    """`url` stays the same when it is killed and started again."""

    def __init__(self, home: Path, *settings: str) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._settings = settings
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [_BINARY, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.home), "--save", ""]
        command += ["--appendonly", "yes", "--appendfsync", "everysec", *self._settings]
        self._server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        process.await_answer(self._server, self._answers)

    def _answers(self) -> bool:
        try:
            with redis.Redis(host="127.0.0.1", port=self.port) as client:
                client.ping()
        except (redis.ConnectionError, redis.BusyLoadingError):
            return False
        return True

    def kill(self) -> None:
        """At once, as a power failure would."""
        assert self._server is not None
        self._server.kill()
        self._server.wait(30)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It takes connections and answers nothing, as a machine does that hangs."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._server.send_signal(signal.SIGCONT)


@contextmanager
def running(*settings: str) -> Iterator[Redis]:
    with process.home("redis") as home:
        server = Redis(home, *settings)
        server.start()
        try:
            yield server
        finally:
            server.kill()
