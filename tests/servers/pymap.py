"""A private pymap on a free port of 127.0.0.1: an IMAP server of another make, in memory, with one account."""

import imaplib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from servers import process
from servers.ports import free_port

USER, PASSWORD = "demouser", "demopass"
_BINARY = Path(sys.executable).with_name("pymap")


@dataclass(frozen=True)
class Pymap:
    """A running server."""

    port: int

    @contextmanager
    def client(self, folder: str) -> Iterator[imaplib.IMAP4]:
        """Another program, logged in, with the folder selected."""
        with imaplib.IMAP4("127.0.0.1", self.port, timeout=30) as client:
            client.login(USER, PASSWORD)
            assert client.select(folder)[0] == "OK"
            yield client

    def make(self, *folders: str) -> None:
        with self.client("INBOX") as client:
            for folder in folders:
                assert client.create(folder)[0] == "OK"

    def append(self, folder: str, *messages: bytes) -> None:
        with self.client("INBOX") as client:
            for message in messages:
                assert client.append(folder, "", "", message)[0] == "OK"


@contextmanager
def running() -> Iterator[Pymap]:
    server = Pymap(free_port())
    command = [_BINARY, "--no-service", "admin", "--no-service", "managesieve", "--no-tls"]
    command += ["--host", "127.0.0.1", "--port", str(server.port), "dict", "--demo-data"]
    with process.home("pymap") as home, process.running(command, home) as started:
        process.await_listener(started, ("127.0.0.1", server.port), home / "output")
        yield server
