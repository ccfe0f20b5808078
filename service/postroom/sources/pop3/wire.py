"""Octets from and to a POP3 server: lines, and messages with their dots taken away. Every wait is bounded."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import cast

from postroom.settings.mailboxes import Pop3Mailbox
from postroom.sources.losses import Lost, lost
from postroom.sources.tls import context_of

LONGEST_LINE = 1 << 16  # of a reply; lines of messages may be of any length
HIGH = 1 << 20  # octets that wait to be read, above which the server is made to wait
PIECE = 1 << 16
END = b"\r\n.\r\n"
STUFFED = b"\r\n.."


class Wire(asyncio.Protocol):
    """One connection. Methods raise Lost, after which nothing works any more."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self._ended: Lost | None = None
        self._waiter: asyncio.Future[None] | None = None

    @classmethod
    async def connected(cls, account: Pop3Mailbox) -> "Wire":
        """A connection whose greeting has not been read; TLS is up where it begins with the connection."""
        seconds = account.timeout.total_seconds()
        wire = cls(seconds)
        try:
            context = context_of(account.tls_ca) if account.is_encrypted else None
            async with asyncio.timeout(seconds):
                await asyncio.get_running_loop().create_connection(
                    lambda: wire, account.host, account.port, ssl=context, happy_eyeballs_delay=0.25
                )
        except (OSError, ValueError) as error:
            raise lost(error) from error
        return wire

    async def encrypt(self, account: Pop3Mailbox) -> None:
        """TLS from here on. What the server has sent already was said by anybody."""
        assert self._transport is not None
        if self._buffer:
            raise Lost("tls", "the server sent more than its answer before TLS began: somebody may be in between")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._seconds):
                context: ssl.SSLContext = context_of(account.tls_ca)
                transport = await loop.start_tls(self._transport, self, context, server_hostname=account.host)
        except (OSError, ValueError) as error:
            raise lost(error) from error
        if transport is None:
            raise Lost("closed", "the server closed the connection")
        self._transport = transport

    def send(self, octets: bytes) -> None:
        """Queue octets; what cannot be sent shows in the next read."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(octets)

    async def line(self, *, keep_end: bool = False) -> bytes:
        """The next line without its CRLF. `keep_end`: the CRLF stays, as `pieces` wants it."""
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > LONGEST_LINE:
                raise Lost("protocol", "the server sent a reply without an end")
            await self._more()
        ends = 2 if self._buffer[max(0, end - 1) : end] == b"\r" else 1
        text = bytes(self._buffer[: end + 1 - ends])
        if keep_end:
            self._buffer[: end + 1] = b"\r\n"
        else:
            del self._buffer[: end + 1]
        return text

    async def pieces(self) -> AsyncIterator[bytes]:
        """A multi-line response up to its end (RFC 1939 3), as it comes: stuffed dots are gone, and all else is as the
        server sent it. Begins at the CRLF of the reply's own line."""
        skip, searched = 2, 0
        while (end := self._buffer.find(END, searched)) < 0:
            cut = _before_pattern(self._buffer)
            if cut >= PIECE:
                piece = bytes(self._buffer[:cut])
                del self._buffer[:cut]
                yield piece.replace(STUFFED, STUFFED[:-1])[skip:]
                skip = 0
            searched = max(0, len(self._buffer) - len(END) + 1)
            await self._more()
        piece = bytes(self._buffer[: end + 2])
        del self._buffer[: end + len(END)]
        yield piece.replace(STUFFED, STUFFED[:-1])[skip:]

    def close(self) -> None:
        """Let go at once: what was not confirmed is not done."""
        if self._transport is not None:
            self._transport.abort()

    async def _more(self) -> None:
        """Wait until the buffer has grown."""
        if self._ended is not None:
            raise self._ended
        assert self._transport is not None
        if self._paused:
            self._transport.resume_reading()
            self._paused = False
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._seconds):
                await self._waiter
        except TimeoutError:
            self.close()
            self._ended = Lost("timeout", "the server does not answer in time")
            raise self._ended from None
        finally:
            self._waiter = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > HIGH and not self._paused and self._transport is not None:
            self._transport.pause_reading()
            self._paused = True
        self._wake()

    def eof_received(self) -> None:
        self._ended = self._ended or Lost("closed", "the server closed the connection")
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        closed = Lost("closed", "the server closed the connection")
        self._ended = self._ended or (lost(exc) if exc else closed)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _before_pattern(buffer: bytearray) -> int:
    """Up to where octets can be handed on: what may be the beginning of the end, or of a stuffed dot, stays."""
    cut = max(0, len(buffer) - len(END) + 1)
    for length in (3, 2, 1):
        if buffer[max(0, cut - length) : cut] == STUFFED[:length]:
            return cut - length
    return cut
