"""A connection of HTTP that ends in time, reads so much and no more, and goes to addresses that were looked at.

What a second look at the DNS would give does not matter.
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, cast

MOST_ANSWER: Final = 256 * 1024  # octets of status and header; the body is not read
CHUNK: Final = 1 << 16


class Deadline:
    """The end of all waiting for one server."""

    def __init__(self, period: timedelta) -> None:
        self._end = time.monotonic() + period.total_seconds()

    def left(self) -> float:
        """Seconds. Raises TimeoutError where there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Connection(http.client.HTTPConnection):
    """Connects to the first of the given addresses that answers, and to nothing else."""

    def __init__(
        self,
        host: str,
        port: int,
        addresses: Sequence[str],
        deadline: Deadline,
        context: ssl.SSLContext | None,
    ) -> None:
        super().__init__(host, port)
        self.default_port = 80 if context is None else 443  # Host names another one only
        self._addresses = addresses
        self._deadline = deadline
        self._context = context

    def connect(self) -> None:
        plain = self._reached()
        if self._context is None:
            self._take(plain)
            return
        try:
            plain.settimeout(self._deadline.left())
            self._take(self._context.wrap_socket(plain, server_hostname=self.host))
        except BaseException:
            plain.close()
            raise

    def _take(self, sock: socket.socket) -> None:
        # http.client asks of its socket what _Bounded has.
        self.sock = cast("socket.socket", _Bounded(sock, self._deadline))

    def _reached(self) -> socket.socket:
        last = OSError()
        for number, address in enumerate(self._addresses):
            left = self._deadline.left() / (len(self._addresses) - number)
            try:
                return socket.create_connection((address, self.port), timeout=left)
            except OSError as error:
                last = error
        raise last


class _Bounded:
    """A socket on which everything together ends at the deadline, and from which so much is read and no more."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self._room = MOST_ANSWER

    def sendall(self, data: bytes | memoryview) -> None:
        rest = memoryview(data).cast("B")
        while rest:
            self._sock.settimeout(self._deadline.left())
            rest = rest[self._sock.send(rest[:CHUNK]) :]

    def recv_into(self, buffer: Any) -> int:
        if self._room <= 0:
            raise ValueError("the answer is too long")
        self._sock.settimeout(self._deadline.left())
        count = self._sock.recv_into(memoryview(buffer)[: self._room])
        self._room -= count
        return count

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reading(self), 4096)

    def close(self) -> None:
        self._sock.close()


class _Reading(io.RawIOBase):
    def __init__(self, sock: _Bounded) -> None:
        self._from = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._from.recv_into(buffer)
