"""Octets to and from a server over a blocking socket. Every wait and every reply is bounded."""

import socket
import ssl
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from postroom.transports.smtp.answers import Answer, is_last, parsed
from postroom.transports.smtp.terms import Terms
from postroom.transports.smtp.trouble import Cut, Trouble, trouble

LONGEST_LINE: Final = 4096  # octets of a reply's line; RFC 5321 4.5.3.1.5 wants 512
MOST_LINES: Final = 200  # of one reply
PIECE: Final = 1 << 16
LONGEST_SEND: Final = 3600.0  # seconds for one message


class Wire:
    """One connection. Methods raise Trouble, after which nothing works any more. `since`: when the wait of now began,
    by the monotonic clock; None: nobody waits for the server."""

    def __init__(self, connection: socket.socket, terms: Terms) -> None:
        self._socket = connection
        self._terms = terms
        self._buffer = bytearray()
        self.since: float | None = None

    @classmethod
    def connected(cls, terms: Terms, address: str | None = None) -> "Wire":
        """A connection whose greeting has not been read; TLS is up where it begins with the connection. `address`:
        where the host's is known already."""
        try:
            made = cls(_connection(terms, address), terms)
        except OSError as error:
            raise trouble(error) from error
        if terms.encryption == "implicit":
            made.encrypt()
        return made

    def encrypt(self) -> None:
        """TLS from here on. What the server has sent already was said by anybody (CVE-2011-0411)."""
        if self._buffer:
            self.close()
            raise Trouble("the server sent more than its answer before TLS began: somebody may be in between")
        context = _context(self._terms)
        try:
            self._socket.settimeout(self._terms.timeout)
            self._socket = context.wrap_socket(self._socket, server_hostname=self._terms.host)
        except (OSError, ValueError) as error:
            self.close()
            raise trouble(error) from error

    def send(self, pieces: Iterable[bytes]) -> None:
        """Hand over octets. Where this raises, the last of them did not go out."""
        try:
            self._socket.settimeout(self._terms.timeout)
            end = time.monotonic() + LONGEST_SEND
            for piece in pieces:
                self.since = time.monotonic()
                if self.since > end:
                    raise Cut("the server takes the message too slowly")
                self._socket.sendall(piece)
        except OSError as error:
            raise trouble(error) from error
        finally:
            self.since = None

    def answer(self, seconds: float | None = None) -> Answer:
        """The next reply, whole, within so many seconds."""
        self.since = time.monotonic()
        try:
            end = self.since + (self._terms.timeout if seconds is None else seconds)
            lines = [self._line(end)]
            while not is_last(lines[-1]):
                if len(lines) == MOST_LINES:
                    raise Trouble("the server sent a reply without an end")
                lines.append(self._line(end))
        finally:
            self.since = None
        found = parsed(lines)
        if found is None:
            raise Trouble("the server sent what is no reply")
        return found

    @property
    def is_quiet(self) -> bool:
        """Whether the server has said nothing unasked, and has not gone either: a used connection may be used again."""
        if self._buffer:
            return False
        try:
            self._socket.setblocking(False)
            # TLS takes in session tickets here, which nobody said.
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False  # it has gone, or says that it will

    def close(self) -> None:
        with suppress(OSError):
            self._socket.close()

    def _line(self, end: float) -> bytes:
        searched = 0
        while (at := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > LONGEST_LINE:
                raise Trouble("the server sent a line without an end")
            self._more(end)
        line = bytes(self._buffer[:at])
        del self._buffer[: at + 1]
        return line.removesuffix(b"\r")

    def _more(self, end: float) -> None:
        left = end - time.monotonic()
        if left <= 0:
            raise Cut("the server does not answer in time")
        try:
            self._socket.settimeout(left)
            got = self._socket.recv(PIECE)
        except OSError as error:
            raise trouble(error) from error
        if not got:
            raise Cut("the server closed the connection")
        self._buffer += got


def _connection(terms: Terms, address: str | None) -> socket.socket:
    if terms.path is None:
        made = socket.create_connection((address or terms.host, terms.port), terms.timeout)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made
    made = socket.socket(socket.AF_UNIX)
    try:
        made.settimeout(terms.timeout)
        made.connect(str(terms.path))
    except OSError:
        made.close()
        raise
    return made


def _context(terms: Terms) -> ssl.SSLContext:
    from postroom.transports.tls import context_of, unverified

    try:
        return context_of(terms.ca) if terms.verify else unverified()
    except OSError as error:
        raise Trouble(f"the certificates in {terms.ca} cannot be read") from error
