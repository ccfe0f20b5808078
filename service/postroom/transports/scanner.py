"""A connection to a scanner whose every wait, and all of them together, end in time."""

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic
from typing import Any, Final, Self

from postroom.errors import Temporary
from postroom.transports.bounded import within

ANSWER: Final = 1 << 20  # octets; no scanner says more about one message
PIECE: Final = 1 << 16


Target = tuple[socket.AddressFamily, str | tuple[str, int]]
LookUp = Callable[[str, int], Sequence[Target]]


def addresses(host: str, port: int) -> Sequence[Target]:
    """As this machine finds them, which may take long. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, (str(address[0]), int(address[1]))) for family, _, _, _, address in found]


class Line(socket.socket):
    """A stream whose reads and writes share one deadline. They raise TimeoutError when it is over."""

    deadline: float = 0.0

    @classmethod
    def to(cls, url: str, timeout: timedelta, look_up: LookUp = addresses) -> Self:
        """Connect to `tcp://HOST:PORT`, `http://HOST:PORT` or `unix:/PATH`, of a host with several addresses to the
        first that takes it. Raises OSError."""
        deadline = monotonic() + timeout.total_seconds()
        failure = OSError("its name has no address")
        for kind, address in within(timeout.total_seconds(), lambda: _targets(url, look_up)):
            line = cls(kind, socket.SOCK_STREAM)
            line.deadline = deadline
            try:
                line._await()
                line.connect(address)
            except OSError as error:
                line.close()
                failure = error
            else:
                return line
        raise failure

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """What http.client reads with."""
        self._await()
        return super().recv_into(buffer, nbytes, flags)

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        self._await()
        return super().recv(bufsize, flags)

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        self._await()
        super().sendall(data, flags)

    def rest(self) -> bytes:
        """All that comes before the end. Raises Temporary where that is too much."""
        answer = b""
        while piece := self.recv(PIECE):
            answer += piece
            if len(answer) > ANSWER:
                raise Temporary(f"the answer is longer than {ANSWER} octets")
        return answer

    def _await(self) -> None:
        left = self.deadline - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self.settimeout(left)


def _targets(url: str, look_up: LookUp) -> Sequence[Target]:
    """Families and addresses that a scanner's URL names."""
    if url.startswith("unix:"):
        return [(socket.AF_UNIX, url.removeprefix("unix:"))]
    host, _, port = url.partition("://")[2].rstrip("/").rpartition(":")
    return look_up(host.strip("[]"), int(port))


@contextmanager
def away(name: str) -> Iterator[None]:
    """Errors of the network as ours, naming the scanner."""
    try:
        yield
    except TimeoutError:
        raise Temporary(f"{name} does not answer in time") from None
    except OSError as error:
        raise Temporary(f"{name} is away: {error.strerror or type(error).__name__}") from error
    except Temporary as error:
        raise Temporary(f"{name}: {error}") from error
