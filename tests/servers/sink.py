"""Postfix's smtp-sink on a free port of 127.0.0.1: a real server's manners, and faults on request."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from servers.ports import free_port

_BINARY = shutil.which("smtp-sink") or "/usr/sbin/smtp-sink"


def is_installed() -> bool:
    return Path(_BINARY).exists()


@dataclass(frozen=True)
class Sink:
    port: int
    home: Path

    @property
    def messages(self) -> list[bytes]:
        """What came, each with lines about its envelope on top (X-Mail-Args, X-Rcpt-Args)."""
        written = []
        for file in sorted(self.home.glob("message.*")):
            with suppress(FileNotFoundError):  # begun, and taken back: the client went away before the dot
                written.append(file.read_bytes())
        return written


@contextmanager
def running(*options: str, dump: bool = True) -> Iterator[Sink]:
    """`options` as smtp-sink(1) has them: `-f RCPT`, `-q .`, `-L`. `dump`: whether messages are written down."""
    home = Path(tempfile.mkdtemp(prefix="postroom-sink-"))
    home.chmod(0o777)
    sink = Sink(free_port(), home)
    user = ("-u", "nobody") if os.geteuid() == 0 else ()
    kept = ("-d", f"{home}/message.") if dump else ()
    command = [_BINARY, *user, *kept, *options, f"127.0.0.1:{sink.port}", "100"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        _await(process, sink.port)
        yield sink
    finally:
        process.kill()
        process.communicate(timeout=30)
        shutil.rmtree(home)


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                assert process.stderr is not None
                process.kill()
                raise RuntimeError(f"smtp-sink did not start: {process.stderr.read().decode()}") from None
            time.sleep(0.02)
        else:
            return
