"""Postfix's smtp-sink on a free port of 127.0.0.1: a real server's manners, and faults on request."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from servers import process
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
    user = ("-u", "nobody") if os.geteuid() == 0 else ()
    with process.home("sink", 0o777) as home:
        sink = Sink(free_port(), home)
        kept = ("-d", f"{home}/message.") if dump else ()
        command = [_BINARY, *user, *kept, *options, f"127.0.0.1:{sink.port}", "100"]
        with process.running(command, home) as started:
            process.await_listener(started, ("127.0.0.1", sink.port), home / "output")
            yield sink
