"""An IMAP server that plays a script, for what real ones do rarely."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

CAPABILITIES = "IMAP4rev1 IDLE UIDPLUS MOVE SASL-IR AUTH=PLAIN"
REPLIES = Path(__file__).with_name("replies")


@dataclass
class Peer:
    """The server's end of one connection. `said` holds the commands that came, without their tags."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    said: list[str]
    tag: str = ""

    async def line(self) -> str:
        """The next line of the client's; ends the script where there is none."""
        line = await self.reader.readline()
        if not line:
            raise EOFError
        return line.decode().rstrip("\r\n")

    async def command(self, expected: str = "") -> str:
        """The next command, without its tag; it must begin as a pattern says."""
        self.tag, _, command = (await self.line()).partition(" ")
        self.said.append(command)
        assert re.match(expected, command), f"{command!r} came, not {expected!r}"
        return command

    def send(self, *lines: str | bytes) -> None:
        for line in lines:
            self.writer.write((line.encode() if isinstance(line, str) else line) + b"\r\n")

    def done(self, text: str = "OK done") -> None:
        self.send(f"{self.tag} {text}")

    async def answer(self, expected: str, *lines: str | bytes, done: str = "OK done") -> str:
        command = await self.command(expected)
        self.send(*lines)
        self.done(done)
        return command

    async def log_in(self, capabilities: str = CAPABILITIES) -> None:
        """Greeting, login, and the questions that follow it."""
        self.send(f"* OK [CAPABILITY {capabilities}] ready")
        await self.answer("AUTHENTICATE|LOGIN", done=f"OK [CAPABILITY {capabilities}] welcome")
        await self.answer('LIST "" ""', '* LIST (\\Noselect) "/" ""')

    async def select(self, *, validity: int = 7, next: int = 1, exists: int = 0) -> None:  # noqa: A002 - IMAP's word
        await self.answer(
            "SELECT",
            f"* {exists} EXISTS",
            r"* OK [PERMANENTFLAGS (\Seen \Deleted \Flagged \*)] ok",
            f"* OK [UIDVALIDITY {validity}] ok",
            f"* OK [UIDNEXT {next}] ok",
        )

    async def hang(self) -> None:
        """Say nothing more, and wait for the client to go."""
        with suppress(ConnectionError):
            while await self.reader.read(1 << 16):
                pass

    def close(self) -> None:
        self.writer.close()

    def replay(self, name: str) -> None:
        """A recorded reply, under the tag of the last command."""
        self.writer.write(recorded(name).replace(b"A########", self.tag.encode()))


def recorded(name: str) -> bytes:
    """A recorded reply with the line ends of the wire, which the files lost."""
    return (REPLIES / name).read_bytes().replace(b"\n", b"\r\n")


Script = Callable[[Peer], Awaitable[None]]


@dataclass
class Liar:
    """A running one; `said` holds what came on all connections, `errors` where scripts and clients disagreed."""

    port: int = 0
    said: list[str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    connections: int = 0


@asynccontextmanager
async def lying(*scripts: Script) -> AsyncIterator[Liar]:
    """One script for each connection in turn; further ones play the last. What a script could not play fails the test."""
    liar = Liar()
    playing: set[asyncio.Task[None]] = set()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = scripts[min(liar.connections, len(scripts) - 1)]
        liar.connections += 1
        try:
            await script(Peer(reader, writer, liar.said))
        except (EOFError, ConnectionError):
            pass  # the client went
        except AssertionError as error:
            liar.errors.append(error)
        finally:
            writer.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(play(reader, writer))
        playing.add(task)
        task.add_done_callback(playing.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    liar.port = server.sockets[0].getsockname()[1]
    try:
        yield liar
    finally:
        server.close()
        for task in list(playing):
            task.cancel()
        await asyncio.gather(*playing, return_exceptions=True)
        if liar.errors:
            raise liar.errors[0]
