"""A POP3 server that does what real ones do rarely: it answers by the book, but for what a test tells it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CAPABILITIES = ("TOP", "UIDL", "USER", "PIPELINING", "RESP-CODES", "SASL PLAIN LOGIN XOAUTH2")


class Drop(Exception):  # noqa: N818 - something to do
    """Hang up, after `octets`."""

    def __init__(self, octets: bytes = b"") -> None:
        super().__init__()
        self.octets = octets


class Hang(Exception):  # noqa: N818 - something to do
    """Never answer again."""


Answer = bytes | Callable[[], bytes]


@dataclass
class Liar:
    """`messages`: UIDL and octets, in order. `answers`: by the beginning of a command, what is said instead, or raised
    by a function; "" is the greeting. `challenge`: follows the response of every AUTH, and then its refusal. `heard`: all commands, "(connected)" and "(gone)" among them."""

    messages: list[tuple[str, bytes]] = field(default_factory=list)
    capabilities: tuple[str, ...] = CAPABILITIES
    answers: dict[str, Answer] = field(default_factory=dict)
    password: str = "secret"
    challenge: bytes = b""
    tls: ssl.SSLContext | None = None
    port: int = 0
    heard: list[str] = field(default_factory=list)
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def sessions(self) -> int:
        return self.heard.count("(connected)")

    def count(self, command: str) -> int:
        """How often a command was heard that begins so."""
        return sum(one.startswith(command) for one in self.heard)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard.append("(connected)")
        self.open.add(writer)
        session = _Session(self, reader, writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                await session.run()
            except Drop as drop:
                writer.write(drop.octets)
                await writer.drain()
            except Hang:
                await reader.read()
        self.heard.append("(gone)")
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()
        self.open.discard(writer)


class _Session:
    def __init__(self, liar: Liar, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.liar = liar
        self.reader = reader
        self.writer = writer
        self.locked = list(liar.messages)
        self.marked: set[int] = set()

    async def run(self) -> None:
        self.say(self.told("") or b"+OK ready\r\n")
        while line := await self.reader.readline():
            command = line.decode().rstrip("\r\n")
            self.liar.heard.append(command)
            answer = self.told(command)
            if answer is not None:
                self.say(answer)
                if command == "STLS" and answer.startswith(b"+OK"):
                    await self.encrypt()
            elif command == "QUIT":
                gone = [self.locked[number - 1] for number in self.marked]
                self.liar.messages = [one for one in self.liar.messages if one not in gone]
                self.say(b"+OK bye\r\n")
                return
            elif command == "STLS":
                self.say(b"+OK begin\r\n")
                await self.encrypt()
            elif command.startswith("AUTH "):
                await self.authenticate(command)
            else:
                self.say(self.by_the_book(*command.split()))
            await self.writer.drain()

    def told(self, command: str) -> bytes | None:
        for beginning, answer in self.liar.answers.items():
            if command == beginning or (beginning and f"{command} ".startswith(f"{beginning} ")):
                return answer if isinstance(answer, bytes) else answer()
        return None

    def say(self, octets: bytes) -> None:
        self.writer.write(octets)

    async def encrypt(self) -> None:
        assert self.liar.tls is not None
        await self.writer.drain()
        await self.writer.start_tls(self.liar.tls)

    async def authenticate(self, command: str) -> None:
        _, _, response = command.partition(" ")[2].partition(" ")
        if not response:
            self.say(b"+ \r\n")
            response = (await self.reader.readline()).decode().strip()
            self.liar.heard.append(response)
        if self.liar.challenge:
            self.say(b"+ " + self.liar.challenge + b"\r\n")
            self.liar.heard.append(f"answer: {(await self.reader.readline()).decode().strip()}")
        self.say(b"-ERR [AUTH] no\r\n" if self.liar.challenge else b"+OK welcome\r\n")

    def by_the_book(self, word: str, *arguments: str) -> bytes:
        number = int(arguments[0]) if word in ("RETR", "DELE") else 0
        match word:
            case "CAPA":
                return _list(*self.liar.capabilities)
            case "USER":
                return b"+OK\r\n"
            case "PASS":
                right = arguments == (self.liar.password,)
                return b"+OK welcome\r\n" if right else b"-ERR [AUTH] wrong password\r\n"
            case "UIDL":
                return _list(*(f"{number} {uidl}" for number, (uidl, _) in enumerate(self.locked, 1)))
            case "LIST":
                return _list(*(f"{number} {len(raw)}" for number, (_, raw) in enumerate(self.locked, 1)))
            case "RETR":
                return b"+OK message follows\r\n" + stuffed(self.locked[number - 1][1]) + b".\r\n"
            case "DELE":
                self.marked.add(number)
                return b"+OK marked\r\n"
        return b"-ERR what\r\n"


def _list(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in ("+OK", *lines, ".")).encode()


def stuffed(raw: bytes) -> bytes:
    """With a dot more before each one that begins a line."""
    return (b"\r\n" + raw).replace(b"\r\n.", b"\r\n..")[2:]


@asynccontextmanager
async def serving(liar: Liar, *, encrypted: bool = False) -> AsyncIterator[Liar]:
    """Listen on a free port meanwhile."""
    server = await asyncio.start_server(liar.serve, "127.0.0.1", 0, limit=1 << 24, ssl=liar.tls if encrypted else None)
    liar.port = server.sockets[0].getsockname()[1]
    try:
        yield liar
    finally:
        server.close()
        for writer in liar.open:
            writer.transport.abort()
        while liar.open:
            await asyncio.sleep(0.001)
