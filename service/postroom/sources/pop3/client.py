"""The commands of POP3 (RFC 1939, 2449, 2595, 5034): a session that is logged in, and how it gets there."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from postroom.errors import Permanent, Temporary
from postroom.settings.mailboxes import Pop3Mailbox
from postroom.sources.losses import Lost, greeting, readable
from postroom.sources.pop3.wire import Wire

LONGEST_LISTING = 1 << 26  # octets
_CODE = re.compile(rb"\[([A-Za-z0-9/-]{1,32})[^\]]*\]")
_UNIDENTIFIED = re.compile(rb"\d{1,10}")


class Rejected(Temporary):
    """The server answered -ERR; `code` is its response code (RFC 2449 8, RFC 3206), upper case, or empty."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Reply:
    """The first line of an answer. `status`: `+OK`, `-ERR`, or `+` where the server waits for more of ours."""

    status: str
    text: bytes

    @classmethod
    def of(cls, line: bytes) -> Self:
        """Raises Lost for what is none."""
        status, _, text = line.partition(b" ")
        if status not in (b"+OK", b"-ERR", b"+"):
            raise Lost("protocol", "the server answers with something that is not POP3")
        return cls(status.decode(), text)

    @property
    def code(self) -> str:
        found = _CODE.match(self.text.strip())
        return found[1].decode().upper() if found else ""


class Client:
    """One session. Methods raise Lost when the connection is, Rejected when the server says -ERR."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.capabilities: Mapping[str, Sequence[str]] = {}

    @classmethod
    async def greeted(cls, account: Pop3Mailbox) -> Self:
        """Connected, encrypted as the settings ask, not logged in. Raises Permanent where the server cannot encrypt."""
        client = cls(await Wire.connected(account))
        try:
            with greeting(encrypted=account.is_encrypted):
                await client.reply()
            if not account.is_encrypted and account.tls != "off":
                await client._begin_tls(account)
            await client.ask_capabilities()
        except BaseException:
            client.close()
            raise
        return client

    async def _begin_tls(self, account: Pop3Mailbox) -> None:
        # Without asking whether it can: the answer would be anybody's.
        try:
            await self.command("STLS")
        except Rejected:
            raise Permanent("the server offers no STLS: use pop3s, or its TLS port") from None
        await self._wire.encrypt(account)

    async def ask_capabilities(self) -> None:
        """Anew after TLS began and after the login; a server that knows no CAPA has none."""
        try:
            lines = await self.lines("CAPA")
        except Rejected:
            lines = []
        words = [line.decode("ascii", "replace").split() for line in lines[:200]]
        self.capabilities = {word[0].upper(): word[1:] for word in words if word}

    @property
    def pipelines(self) -> bool:
        """Whether commands may be sent before their predecessors are answered (RFC 2449 6.6)."""
        return "PIPELINING" in self.capabilities

    @property
    def login_delay(self) -> int:
        """Seconds between two logins (RFC 2449 6.5)."""
        told = next(iter(self.capabilities.get("LOGIN-DELAY", ())), "")
        return min(int(told), 86_400) if told.isascii() and told.isdigit() else 0

    def send(self, *lines: str | bytes) -> None:
        """Commands, whose answers are read one after another by `reply` or `message`."""
        encoded = (line if isinstance(line, bytes) else line.encode() for line in lines)
        self._wire.send(b"".join(line + b"\r\n" for line in encoded))

    async def reply(self) -> Reply:
        """The next answer of one line."""
        return _accepted(await self.answer())

    async def answer(self) -> Reply:
        """The next answer of one line, whatever it says."""
        return Reply.of(await self._wire.line())

    async def command(self, line: str) -> Reply:
        """Send one command and read its answer."""
        self.send(line)
        return await self.reply()

    async def message(self) -> AsyncIterator[bytes]:
        """The pieces of a multi-line answer as they come, once its first line says +OK."""
        line = await self._wire.line(keep_end=True)
        reply = Reply.of(line)
        if reply.status != "+OK":
            await self._wire.line()  # the end of the line that stayed
        _accepted(reply)
        return self._wire.pieces()

    async def lines(self, command: str) -> list[bytes]:
        """A command whose answer is a list."""
        self.send(command)
        collected = bytearray()
        async for piece in await self.message():
            collected += piece
            if len(collected) > LONGEST_LISTING:
                raise Lost("protocol", "the server sent a list without an end")
        return bytes(collected).split(b"\r\n")[:-1]

    async def quit(self) -> None:
        """End the session; what was marked for removal is removed only when this returns (RFC 1939 6)."""
        await self.command("QUIT")

    def close(self) -> None:
        """Let go without QUIT: nothing is removed."""
        self._wire.close()


def _accepted(reply: Reply) -> Reply:
    if reply.status == "-ERR":
        raise Rejected(f"the server says: {readable(reply.text) or 'no'}", reply.code)
    if reply.status != "+OK":
        raise Lost("protocol", "the server waits for more of a command that is complete")
    return reply
