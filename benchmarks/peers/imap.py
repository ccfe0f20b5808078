"""An IMAP server that answers by arithmetic: any user, and a folder of any number of messages that lie nowhere.

It runs in the event loop of who measures, knows when it pushed and when an answer came, and counts octets.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

CAPABILITIES = "IMAP4rev1 IDLE UIDPLUS MOVE SASL-IR AUTH=PLAIN"
_FETCH = re.compile(r"UID FETCH (\S+) \((.*)\)")
_RANGE = re.compile(r"BODY\.PEEK\[\](?:<(\d+)\.(\d+)>)?")


class Folder:
    """INBOX of everyone: `messages` of them, with UIDs from 1 on. `body`: of a UID, always the same for the same."""

    def __init__(self, messages: int, body: Callable[[int], bytes]) -> None:
        self.messages = messages
        self.body = body

    def uids(self, text: str) -> list[int]:
        """Those of a set that are there; `*` is the last one, so that `n:*` always finds it."""
        found: set[int] = set()
        for part in text.replace("*", str(self.messages)).split(","):
            ends = sorted(int(end) for end in part.split(":"))
            found.update(range(max(1, ends[0]), min(ends[-1], self.messages) + 1))
        return sorted(found)

    def told(self, uid: int, items: str) -> bytes:
        """The FETCH response of one message."""
        said = [b"UID %d" % uid]
        if "FLAGS" in items:
            said.append(b"FLAGS ()")
        if "RFC822.SIZE" in items:
            said.append(b"RFC822.SIZE %d" % len(self.body(uid)))
        if asked := _RANGE.search(items):
            body, origin = self.body(uid), b""
            if asked[1] is not None:
                body, origin = body[int(asked[1]) : int(asked[1]) + int(asked[2])], b"<%s>" % asked[1].encode()
            said.append(b"BODY[]%s {%d}\r\n%s" % (origin, len(body), body))
        return b"* %d FETCH (%s)\r\n" % (uid, b" ".join(said))


class Server:
    """Its connections. `heard` is called with each command that changes flags; `received` and `sent` count octets."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.port = 0
        self.received = self.sent = 0
        self.accepted = 0
        self.idling: dict[Connection, str] = {}
        self.connections: set[Connection] = set()
        self.changed: Callable[[], None] = lambda: None
        self.heard: Callable[[str], None] = lambda _: None

    def push(self, number: int = 1) -> None:
        """New messages; who idles is told at once, others with the answer to their next command."""
        self.folder.messages += number
        for connection in self.idling:
            connection.tell()

    def drop(self) -> None:
        """End all connections."""
        for connection in list(self.connections):
            connection.transport.close()

    async def until(self, holds: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait for something that only a change of connections makes true."""
        async with asyncio.timeout(seconds):
            while not holds():
                news = asyncio.get_running_loop().create_future()
                self.changed = lambda news=news: None if news.done() else news.set_result(None)
                await news


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._buffer = b""
        self._idle = ""
        self._told: int | None = None  # messages; None: nothing is selected

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self._server.connections.add(self)
        self._server.accepted += 1
        self.send(f"* OK [CAPABILITY {CAPABILITIES}] ready")

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._server.idling.pop(self, None)
        self._server.changed()

    def data_received(self, data: bytes) -> None:
        self._server.received += len(data)
        *lines, self._buffer = (self._buffer + data).split(b"\r\n")
        for line in lines:
            self._line(line.decode())

    def send(self, *lines: str | bytes) -> None:
        octets = b"".join(line if isinstance(line, bytes) else f"{line}\r\n".encode() for line in lines)
        self._server.sent += len(octets)
        self.transport.write(octets)

    def tell(self) -> None:
        """That there are more messages, where that was not told yet."""
        if self._told not in (None, self._server.folder.messages):
            self._told = self._server.folder.messages
            self.send(f"* {self._told} EXISTS")

    def _line(self, line: str) -> None:
        if self._idle:
            tag, self._idle = self._idle, ""
            self._server.idling.pop(self, None)
            self.send(f"{tag} OK idled")
            return
        tag, _, command = line.partition(" ")
        if command == "IDLE":
            self._idle = tag
            self.send("+ idling")
            self.tell()
            self._server.idling[self] = tag
            self._server.changed()
            return
        self.send(*self._answer(command))
        self.tell()
        self.send(f"{tag} OK done")
        if command.startswith("UID STORE"):
            self._server.heard(command)

    def _answer(self, command: str) -> list[str | bytes]:
        folder = self._server.folder
        if command.startswith("SELECT"):
            self._told = folder.messages
            return [
                f"* {folder.messages} EXISTS",
                r"* OK [PERMANENTFLAGS (\Seen \Deleted \Flagged \*)] ok",
                "* OK [UIDVALIDITY 7] ok",
                f"* OK [UIDNEXT {folder.messages + 1}] ok",
            ]
        if asked := _FETCH.fullmatch(command):
            return [folder.told(uid, asked[2]) for uid in folder.uids(asked[1])]
        if command.startswith("LIST"):
            return ['* LIST (\\Noselect) "/" ""']
        if command == "CAPABILITY":
            return [f"* CAPABILITY {CAPABILITIES}"]
        return []


@asynccontextmanager
async def running(folder: Folder, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """On a free port of 127.0.0.1."""
    server = Server(folder)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: Connection(server), "127.0.0.1", 0, ssl=tls, backlog=1024)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        server.drop()
