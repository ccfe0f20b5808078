"""One connection of a listener: lines and pieces in, replies out, no longer a wait than the settings allow."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

BUFFER: Final = 1 << 18  # octets read at once; one buffer serves all connections
LONGEST: Final = 2048  # octets of a command: RFC 5321 4.5.3.1.4 and what extensions add, with room to spare
_MOST_UNREAD: Final = 1 << 17
_SLOWEST: Final = 500  # octets of mail data a second, as Postfix's smtpd_min_data_rate
_LINGER: Final = 10.0  # seconds for a client to read our last reply


class Ended(Exception):  # noqa: N818 - reads as a verdict where it is raised
    """The client is gone."""


class Silent(Exception):  # noqa: N818 - reads as a verdict where it is raised
    """The client said nothing, or too little, for too long."""


class Stopping(Exception):  # noqa: N818 - reads as a verdict where it is raised
    """We are going away; raised between commands only."""


class Wire(asyncio.BufferedProtocol):
    """Reads what comes and holds little of it; replies of one turn of the event loop go out in one write, as RFC 2920
    3.2 asks. `opened` is called with the connection."""

    def __init__(self, buffer: memoryview, idle: float, opened: Callable[["Wire"], None]) -> None:
        self._buffer = buffer  # shared: whatever is read into it is taken out at once
        self._idle = idle
        self._opened = opened
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._input, self._at = b"", 0
        self._output: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._between = False  # waiting for a command
        self._paused = self._choked = self._ended = self._stopping = False
        self.encrypted = False

    # What the conversation calls.

    async def line(self) -> bytes:
        """The next line with its LF. A longer one than LONGEST comes cut, still longer than that."""
        self._deadline = self._loop.time() + self._idle
        self._between = True
        while self._choked or self._stopping or (end := self._input.find(b"\n", self._at)) < 0:
            if self._stopping:
                raise Stopping
            if len(self._input) - self._at > LONGEST:
                self._input = self._input[self._at : self._at + LONGEST + 1]
                self._at = 0
            await self._wait()
        self._between = False
        found = self._input[self._at : end + 1]
        self._at = end + 1
        return found

    def receiving(self) -> None:
        """Mail data begin: from now on they have to come at a rate."""
        self._deadline = self._loop.time() + self._idle

    async def chunk(self) -> bytes:
        """Whatever is there, at least one octet."""
        while self._at == len(self._input):
            await self._wait()
        found = self._input[self._at :] if self._at else self._input
        self._input, self._at = b"", 0
        earned = self._deadline + len(found) / _SLOWEST
        self._deadline = min(earned, self._loop.time() + self._idle)
        return found

    def push_back(self, rest: bytes) -> None:
        """What came behind the last piece is read again, as commands."""
        self._input, self._at = rest, 0

    def say(self, reply: bytes) -> None:
        """One whole reply."""
        if not self._output:
            self._loop.call_soon(self._flush)
        self._output.append(reply)

    async def encrypt(self, context: ssl.SSLContext, limit: float) -> None:
        """Go on in TLS. What came in the clear behind STARTTLS was perhaps not the client's, and is dropped
        (RFC 3207 4.2, CVE-2011-0411). Raises OSError where no agreement is reached."""
        self._flush()
        self._input, self._at = b"", 0
        secured = await self._loop.start_tls(
            self._transport,
            self,
            context,
            server_side=True,
            ssl_handshake_timeout=limit,
            ssl_shutdown_timeout=_LINGER,
        )
        if secured is None:
            raise Ended  # the connection was lost meanwhile
        self._transport = secured
        self._paused = False
        self.encrypted = True

    def stop(self) -> None:
        """Raise Stopping where the next command is waited for, at once or later."""
        self._stopping = True
        if self._between:
            self._wake()

    def close(self) -> None:
        """Send what is to be sent, and hang up."""
        self._timer.cancel()
        self._flush()
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._loop.call_later(_LINGER, self._transport.abort)

    @property
    def peer(self) -> str:
        """The client's address; empty on a UNIX socket."""
        name = self._transport.get_extra_info("peername")
        return str(name[0]) if isinstance(name, tuple) else ""

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._deadline = self._loop.time() + self._idle
        self._timer = self._loop.call_later(self._idle, self._look)
        self._opened(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        piece = bytes(self._buffer[:nbytes])
        unread = self._input[self._at :]
        self._input, self._at = unread + piece if unread else piece, 0
        if len(self._input) > _MOST_UNREAD and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._ended = True
        self._wake()
        # A client that only stopped sending still gets its replies; TLS knows no half of a connection.
        return not self.encrypted

    def connection_lost(self, exc: Exception | None) -> None:
        # Nobody hears replies any more: what is not acknowledged is not taken.
        self._input, self._at = b"", 0
        self._ended = True
        self._wake()

    def pause_writing(self) -> None:
        self._choked = True

    def resume_writing(self) -> None:
        self._choked = False
        self._wake()

    async def _wait(self) -> None:
        if self._ended:
            raise Ended
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _look(self) -> None:
        """One timer for each connection, set anew when it fires, costs less than one for each wait."""
        left = self._deadline - self._loop.time()
        if self._waiter is not None and not self._waiter.done() and left <= 0:
            self._waiter.set_exception(Silent())
            return
        # Where nobody waits for the client it is we who make it wait.
        self._timer = self._loop.call_later(left if left > 0 else self._idle, self._look)

    def _flush(self) -> None:
        if self._output:
            self._transport.write(b"".join(self._output))
            self._output.clear()
