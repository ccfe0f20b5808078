"""The listener as a source: sockets, conversations, and an end that leaves nothing half done."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from postroom.errors import Permanent
from postroom.settings.mailboxes import ListenerMailbox
from postroom.sources import Desk
from postroom.sources.listener import replies
from postroom.sources.listener.gate import Gate
from postroom.sources.listener.routing import Routes
from postroom.sources.listener.session import Session
from postroom.sources.listener.sockets import listening
from postroom.sources.listener.terms import Terms
from postroom.sources.listener.wire import BUFFER, Wire

_HOLD: Final = 30.0  # seconds that a client waits for space, or for TLS; it gives up after two minutes at the earliest
_DRAIN: Final = 12.0  # seconds for what was begun; the service waits 15 for its mailboxes
_PLANNING: Final = 60.0  # seconds


class ListenerSource:
    """`drain`: seconds that transactions under way may take when we are to go; `planning`: that a plan may take while
    a client waits for it."""

    def __init__(
        self,
        mailbox: ListenerMailbox,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        hold: float = _HOLD,
        drain: float = _DRAIN,
        planning: float = _PLANNING,
    ) -> None:
        self._mailbox = mailbox
        self._clock = clock
        self._hold = hold
        self._drain = drain
        self._planning = planning
        self.port = 0  # of a TCP socket, while it listens

    async def run(self, desk: Desk) -> None:
        """Take mail until cancelled; then finish what was begun, and tell the others to come again."""
        gate = Gate(desk)
        reception = Reception(self._terms(desk, gate), self._mailbox)
        loop = asyncio.get_running_loop()
        try:
            with listening(self._mailbox, desk.base) as sockets:
                # create_server takes bound sockets of any family.
                servers = [await loop.create_server(reception.wire, sock=one) for one in sockets]
                name = sockets[0].getsockname()
                self.port = name[1] if isinstance(name, tuple) else 0
                desk.connected()
                try:
                    await loop.create_future()
                finally:
                    for server in servers:
                        server.close()
        finally:
            await reception.close(self._drain)
            gate.close()

    def _terms(self, desk: Desk, gate: Gate) -> Terms:
        mailbox = self._mailbox
        return Terms(
            desk=desk,
            gate=gate,
            routes=Routes(mailbox, desk.pipeline),
            clock=self._clock,
            lmtp=not mailbox.url.startswith("smtp:"),
            whole=mailbox.split == "message",
            most_recipients=mailbox.max_recipients,
            hold=self._hold,
            disk=mailbox.timeout.total_seconds(),
            planning=self._planning if mailbox.answer == "after-plan" else None,
            tls=tls_of(mailbox),
        )


class Reception:
    """The conversations that go on."""

    def __init__(self, terms: Terms, mailbox: ListenerMailbox) -> None:
        self._terms = terms
        self._most = mailbox.max_connections
        self._idle = mailbox.idle.total_seconds()
        self._buffer = memoryview(bytearray(BUFFER))
        self._loop = asyncio.get_running_loop()
        self._running: dict[asyncio.Task[None], Wire] = {}
        self._closed = False

    def wire(self) -> Wire:
        """For a new connection."""
        return Wire(self._buffer, self._idle, self._opened)

    async def close(self, drain: float) -> None:
        """Conversations end at their next command; what takes longer than `drain` seconds is cut off."""
        self._closed = True
        for wire in self._running.values():
            wire.stop()
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=drain)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _opened(self, wire: Wire) -> None:
        # One that was accepted as the last may come when all others have been told.
        if self._closed or len(self._running) >= self._most:
            reply = replies.STOPPING if self._closed else replies.TOO_MANY_CONNECTIONS
            self._terms.desk.replied(replies.code(reply))
            wire.say(reply)
            wire.close()
            return
        task = self._loop.create_task(Session(wire, self._terms).converse())
        self._running[task] = wire
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        if not task.cancelled() and (error := task.exception()):
            # A bug of ours ends one conversation; no message was acknowledged that is not durable.
            self._loop.call_exception_handler({"message": "a conversation failed", "exception": error, "task": task})


def tls_of(mailbox: ListenerMailbox) -> ssl.SSLContext | None:
    """What it offers with STARTTLS. Raises Permanent where its certificate cannot be used."""
    if mailbox.tls_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(mailbox.tls_certificate, mailbox.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise Permanent(f"the certificate {mailbox.tls_certificate} or its key cannot be used: check both") from error
    return context
