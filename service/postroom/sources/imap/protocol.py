"""One connection's wire: one command at a time goes out, whole responses come in, and an end reaches whoever waits."""

import asyncio
from collections.abc import Callable

from aioimaplib.aioimaplib import AUTH, CONNECTED, LOGOUT, NONAUTH, SELECTED, Command, Commands, IMAP4ClientProtocol

from postroom.sources.imap.parser import Parser, Pieces, Unparsable
from postroom.sources.imap.responses import Data, Reply, Status
from postroom.sources.imap.signal import Signal
from postroom.sources.losses import Lost, readable

ALLOWANCE = 1 << 26
"""Octets that may come in answer to one command that says nothing else."""

_NEXT_STATE = {"LOGIN": AUTH, "AUTHENTICATE": AUTH, "SELECT": SELECTED, "EXAMINE": SELECTED, "CLOSE": AUTH}


class Running:
    """A command under way."""

    def __init__(self, tag: str, name: str) -> None:
        self.tag = tag
        self.name = name
        self.data: list[Data] = []
        self.statuses: list[Status] = []
        self.changed = Signal()
        self._prompts: list[bytes] = []
        self._reply: Reply | None = None
        self._error: Lost | None = None

    @property
    def is_over(self) -> bool:
        return self._reply is not None or self._error is not None

    @property
    def reply(self) -> Reply:
        """Raises Lost where the connection ended first."""
        if self._error is not None:
            raise self._error
        assert self._reply is not None
        return self._reply

    def prompt(self) -> bytes | None:
        """The text of a `+` that was not taken yet."""
        return self._prompts.pop(0) if self._prompts else None

    def prompted(self, text: bytes) -> None:
        self._prompts.append(text)
        self.changed.set()

    def received(self, response: Data | Status) -> None:
        if isinstance(response, Data):
            self.data.append(response)
        else:
            self.statuses.append(response)

    def completed(self, status: Status) -> None:
        self._reply = Reply(self.name, status, tuple(self.statuses), tuple(self.data))
        self.changed.set()

    def failed(self, error: Lost) -> None:
        self._error = self._error or error
        self.changed.set()


class Protocol(IMAP4ClientProtocol):  # type: ignore[misc]  # aioimaplib has no types
    """aioimaplib's protocol with its reading, its command queue and its end replaced: there a thousand lines in one
    chunk overflow the stack, several commands at once break each other, and nobody hears of a lost connection.

    `on_untagged` is called with each untagged response as it comes. `heard` is the time of the last octet.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        # Of its queue of pushes and of commands nothing is used here, and it weighs 4 KiB in each idle mailbox.
        del self.idle_queue, self._idle_event, self.state_condition
        self._loop = loop
        self._parser = Parser()
        self._running: Running | None = None
        self._allowance = ALLOWANCE
        self._writable: asyncio.Event | None = None  # None: nobody has to wait
        self._bye: str | None = None
        self._sealed = False
        self.lost: Lost | None = None
        self.heard = loop.time()
        self.greeting: Running | None = Running("", "the greeting")  # None: it was taken
        self.on_untagged: Callable[[Data | Status], None] = lambda _: None

    # Sending

    def start(self, name: str, *arguments: str, allowance: int = ALLOWANCE) -> Running:
        """Send a command. Raises Lost, and ValueError where an argument would begin another line."""
        if self.lost is not None:
            raise self.lost
        assert self._running is None, "one command at a time"
        known = Commands.get(name)
        assert known is None or self.state in known.valid_states, f"{name} in state {self.state}"
        command = Command(name, self.new_tag(), *arguments, loop=self._loop)
        self._running = Running(command.tag, name if name != "UID" else f"UID {arguments[0]}")
        self._allowance = allowance
        self.write(f"{command}\r\n".encode())
        return self._running

    def write(self, octets: bytes | memoryview) -> None:
        self.heard = self._loop.time()  # an answer cannot be expected earlier
        self.transport.write(octets)

    async def drained(self) -> None:
        """Wait until more may be written. Raises Lost."""
        if self._writable is not None:
            await self._writable.wait()
        if self.lost is not None:
            raise self.lost

    def pause_writing(self) -> None:
        self._writable = self._writable or asyncio.Event()

    def resume_writing(self) -> None:
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    # Receiving

    def data_received(self, data: bytes) -> None:
        self.heard = self._loop.time()
        self._allowance -= len(data)
        if self._allowance < 0:
            self.fail(Lost("protocol", "the server sends far more than was asked for"))
            return
        try:
            responses = self._parser.feed(data)
        except Unparsable as error:
            self.fail(Lost("protocol", f"the server cannot be understood: {error}"))
            return
        for pieces in responses:
            if self.lost is None:
                self._respond(pieces)
        if self._sealed and self._parser.is_inside:
            self._smuggled()

    def _respond(self, pieces: Pieces) -> None:
        line = pieces[0]
        if self._sealed:
            self._smuggled()
        elif self.state == CONNECTED:
            self._greeted(Status.of(line[2:]) if line.startswith(b"* ") else None)
        elif line.startswith(b"* "):
            self._untagged(Status.of(line[2:]) or Data.of(pieces))
        elif line.startswith(b"+"):
            if self._running is not None:
                self._running.prompted(line[1:].strip())
        elif line:
            self._tagged(*line.partition(b" ")[::2])

    def _greeted(self, status: Status | None) -> None:
        if status is None or status.verdict not in ("OK", "PREAUTH"):
            said = f": {status.text}" if status else ""
            self.fail(Lost("bye", f"the server greets with a refusal{said}"))
        else:
            self.state = AUTH if status.verdict == "PREAUTH" else NONAUTH
            assert self.greeting is not None
            self.greeting.completed(status)

    def _untagged(self, response: Data | Status) -> None:
        if isinstance(response, Status) and response.verdict == "BYE":
            self._bye = response.text
            if self.state != LOGOUT:
                self.fail(Lost("bye", f"the server says goodbye: {response.text}"))
            return
        if self._running is not None:
            self._running.received(response)
        self.on_untagged(response)

    def _tagged(self, tag: bytes, rest: bytes) -> None:
        running, self._running = self._running, None
        status = Status.of(rest)
        if running is None or status is None or tag != running.tag.encode():
            self._running = running
            self.fail(Lost("protocol", f"the server answers what nobody asked: {readable(rest)}"))
            return
        if status.verdict == "OK":
            self.state = _NEXT_STATE.get(running.name, self.state)
        elif running.name in ("SELECT", "EXAMINE") and self.state == SELECTED:
            self.state = AUTH
        if running.name == "STARTTLS" and status.verdict == "OK":
            self._sealed = True
            self.transport.pause_reading()
        running.completed(status)

    # Ends

    def _smuggled(self) -> None:
        # RFC 3501 6.2.1, CVE-2011-0411: what comes before the handshake, anybody on the way may have written.
        self.fail(Lost("tls", "the server, or somebody on the way, sends plain text after STARTTLS"))

    def encrypted(self, transport: asyncio.Transport) -> None:
        """TLS has begun; nothing from before holds."""
        self.transport = transport
        self._parser = Parser()
        self._sealed = False

    def leaving(self) -> None:
        """LOGOUT is being sent: a BYE is its answer."""
        self.state = LOGOUT

    def connection_lost(self, exc: Exception | None) -> None:
        reason = "closed" if exc is None else "network"
        why = "the server closed the connection" if exc is None else f"the connection broke: {type(exc).__name__}"
        self.fail(Lost("bye", f"the server said goodbye: {self._bye}") if self._bye else Lost(reason, why))  # type: ignore[arg-type]  # two of Loss

    def fail(self, error: Lost) -> None:
        """End the connection; whoever waits hears why. The first reason counts."""
        self.lost = self.lost or error
        for waiting in (self.greeting, self._running):
            if waiting is not None and not waiting.is_over:
                waiting.failed(self.lost)
        self._running = None
        self.resume_writing()
        if self.transport is not None:
            self.transport.abort()
