"""A session with an IMAP server: opened, encrypted, logged in, and bounded in every wait."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import lru_cache
from types import TracebackType
from typing import Self

from postroom.settings.mailboxes import ImapMailbox
from postroom.sources.imap import sockets
from postroom.sources.imap.authentication import authenticate
from postroom.sources.imap.introduction import introduced
from postroom.sources.imap.names import Naming, quoted
from postroom.sources.imap.protocol import ALLOWANCE, Protocol, Running
from postroom.sources.imap.responses import Data, Reply, Status
from postroom.sources.imap.signal import Signal
from postroom.sources.losses import Lost, greeting

# A command whose answer keeps trickling in may take this many times the timeout.
PATIENCE = 10
_LOGOUT_SECONDS = 5.0
_CHUNK = 1 << 16

Dialogue = Callable[["Exchange"], Awaitable[None]]


class Imap:
    """One logged-in connection. A context: when it is left, the connection is closed.

    One command at a time. When one times out, is cancelled, or the connection ends, the connection is gone with it: a
    late answer would be taken for that of the next command. Methods raise Lost.
    """

    def __init__(self, protocol: Protocol, timeout: float) -> None:
        self._protocol = protocol
        self._timeout = timeout
        self._lock = asyncio.Lock()
        self._capabilities: frozenset[str] = frozenset()
        self._told = 0  # how often they were told
        self.naming = Naming()

    @classmethod
    async def open(cls, account: ImapMailbox) -> Self:
        """Connect and log in. Raises Lost, LoginRefused, Temporary."""
        imap = cls(await sockets.connected(account), account.timeout.total_seconds())
        try:
            await imap._begin(account)
        except BaseException:
            imap.abort()
            raise
        return imap

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._protocol.lost is None and not self._lock.locked():
                await self._log_out()
        finally:
            self.abort()

    @property
    def capabilities(self) -> frozenset[str]:
        """Upper case."""
        return self._capabilities

    def has(self, *names: str) -> bool:
        """Whether the server offers all of these."""
        return self._capabilities.issuperset(names)

    def listen(self, on_untagged: Callable[[Data | Status], None]) -> None:
        """Be called with each untagged response as it comes."""
        self._protocol.on_untagged = on_untagged

    async def call(
        self, name: str, *arguments: str, dialogue: Dialogue | None = None, allowance: int = ALLOWANCE
    ) -> Reply:
        """One command and its whole answer, whatever the verdict. `dialogue`: what to do where the server prompts.

        `allowance`: octets that the answer may have. Raises Lost, and ValueError for control characters.
        """
        async with self._lock:
            running = self._protocol.start(name, *arguments, allowance=allowance)
            exchange = Exchange(self._protocol, running, self._timeout)
            try:
                if dialogue is not None:
                    await dialogue(exchange)
                reply = await exchange.reply()
            except BaseException as error:
                self._protocol.fail(error if isinstance(error, Lost) else Lost("stopped", f"{name} was given up"))
                raise
        self._learn(reply)
        return reply

    async def idle(self, attention: Signal, seconds: float) -> None:
        """IDLE (RFC 2177) until `attention` is set, the connection ends or the time is over."""

        async def dialogue(exchange: Exchange) -> None:
            if await exchange.prompt() is not None:
                await exchange.rest(attention, seconds)
                exchange.line(b"DONE")

        (await self.call("IDLE", dialogue=dialogue)).require()

    async def append(
        self,
        folder: str,
        content: Sequence[bytes | memoryview],
        *,
        flags: Iterable[str] = (),
        date: bytes | None = None,
    ) -> Reply:
        """Put a message into a folder (an argument as the server wants it)."""

        async def dialogue(exchange: Exchange) -> None:
            if await exchange.prompt() is not None:
                await exchange.stream(content, end)

        literal, end = f"{{{sum(len(piece) for piece in content)}}}", b"\r\n"
        if self.naming.utf8 and not all(bytes(piece).isascii() for piece in content):
            literal, end = f"UTF8 (~{literal}", b")\r\n"  # RFC 6855 4
        when = [quoted(date.decode("ascii"))] if date else []
        return await self.call("APPEND", folder, f"({' '.join(sorted(flags))})", *when, literal, dialogue=dialogue)

    def abort(self) -> None:
        """Close without a word."""
        self._protocol.fail(Lost("stopped", "the connection was closed by us"))

    async def _log_out(self) -> None:
        try:
            async with asyncio.timeout(_LOGOUT_SECONDS):
                self._protocol.leaving()
                await self.call("LOGOUT")
        except (Lost, TimeoutError):
            pass  # it is over in any case

    # Opening

    async def _begin(self, account: ImapMailbox) -> None:
        assert self._protocol.greeting is not None
        with greeting(encrypted=account.is_encrypted):
            greeted = await Exchange(self._protocol, self._protocol.greeting, self._timeout).reply()
        self._protocol.greeting = None
        self._learn(greeted)
        is_known = greeted.status.verdict == "PREAUTH"
        if not account.is_encrypted and account.tls != "off":
            await self._encrypt(account, is_known)
        if not is_known:
            await self._log_in(account)
        if not self._capabilities:
            await self._ask_capabilities()
        self.naming = await introduced(self)

    async def _encrypt(self, account: ImapMailbox, is_known: bool) -> None:
        if is_known:
            # RFC 8314, the NO STARTTLS paper: somebody on the way can send PREAUTH to keep us from STARTTLS.
            raise Lost("tls", "the server greets with PREAUTH where STARTTLS is required: refused")
        reply = await self.call("STARTTLS")
        if not reply.is_ok:
            raise Lost("tls", f"the server refuses STARTTLS: {reply.status.text}")
        await sockets.encrypt(self._protocol, account)
        self._capabilities = frozenset()

    async def _log_in(self, account: ImapMailbox) -> None:
        if not self._capabilities:
            await self._ask_capabilities()
        before = self._told
        await authenticate(self, account)
        if self._told == before:  # what was offered to a stranger says nothing about what is offered to us
            self._capabilities = frozenset()

    async def _ask_capabilities(self) -> None:
        (await self.call("CAPABILITY")).require()

    def _learn(self, reply: Reply) -> None:
        told = [status.arguments for status in (*reply.statuses, reply.status) if status.code == "CAPABILITY"]
        told += [data.pieces[0][data.start :] for data in reply.named("CAPABILITY")]
        if told:
            self._told += 1
            self._capabilities = _capabilities(told[-1])


@lru_cache(maxsize=256)
def _capabilities(told: bytes) -> frozenset[str]:
    """The same object for all connections that are offered the same."""
    return frozenset(told.decode("ascii", "replace").upper().split())


class Exchange:
    """One command under way, with every wait bounded: by silence, and in all."""

    def __init__(self, protocol: Protocol, running: Running, timeout: float) -> None:
        self._protocol = protocol
        self._running = running
        self._timeout = timeout
        self._clock = asyncio.get_running_loop().time
        self._deadline = self._clock() + timeout * PATIENCE

    async def prompt(self) -> bytes | None:
        """The next `+` of the server; None once the command is over."""
        while (text := self._running.prompt()) is None and not self._running.is_over:
            await self._news()
        return text

    async def reply(self) -> Reply:
        """The whole answer."""
        while not self._running.is_over:
            await self._news()
        return self._running.reply

    def line(self, text: bytes) -> None:
        """Send a line that belongs to the command."""
        if not self._running.is_over:
            self._protocol.write(text + b"\r\n")

    async def stream(self, content: Sequence[bytes | memoryview], end: bytes) -> None:
        """Send a literal and what ends the command, no faster than the server takes it."""
        for piece in content:
            for start in range(0, len(piece), _CHUNK):
                if self._running.is_over:
                    return
                self._protocol.write(piece[start : start + _CHUNK])
                try:
                    async with asyncio.timeout(self._timeout):
                        await self._protocol.drained()
                except TimeoutError:
                    raise Lost("timeout", f"the server does not take what {self._running.name} sends it") from None
        self._protocol.write(end)
        self._deadline = self._clock() + self._timeout * PATIENCE

    async def rest(self, attention: Signal, seconds: float) -> None:
        """Wait for an event from elsewhere, the end of the command, or so long."""
        own, self._running.changed = self._running.changed, attention
        try:
            async with asyncio.timeout(seconds):
                while not attention.is_set() and not self._running.is_over:
                    await attention.wait()
        except TimeoutError:
            pass
        finally:
            self._running.changed = own
        self._deadline = self._clock() + self._timeout * PATIENCE

    async def _news(self) -> None:
        changed = self._running.changed
        while not changed.is_set():
            left = min(self._protocol.heard + self._timeout, self._deadline) - self._clock()
            if left <= 0:
                raise Lost("timeout", f"the server does not answer {self._running.name} in time")
            try:
                async with asyncio.timeout(left):
                    await changed.wait()
            except TimeoutError:
                pass  # unless it was heard in the meantime
        changed.clear()
