"""A listener in a thread of its own, over a real ledger and spool, and clients that speak byte by byte."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from postroom.errors import PostroomError
from postroom.foresight import Foresight
from postroom.ledger import Ledger
from postroom.ledger.rows import Arrival, Batch, Query, Recorded, Refused, Row
from postroom.settings.mailboxes import ListenerMailbox
from postroom.sources.listener.source import ListenerSource
from postroom.spool import Blob, Draft, Spool
from postroom.testing import Failures
from servers.authority import self_signed

DEADLINE = 60.0
MAILBOX = {
    "pipeline": "quickstart",
    "recipients": [
        {"to": "ann@example.com", "store": "/srv/mail/ann"},
        {"to": "*@support.example.com", "pipeline": "support", "store": "/srv/mail/support"},
        {"to": "*@example.com", "store": "/srv/mail/{{ recipient.domain }}/{{ recipient.local }}"},
        {"to": "postmaster", "store": "none"},
    ],
}


@dataclass
class Desk:
    """A desk over a real ledger and spool; it can be told to fail, and to wait."""

    ledger: Ledger
    spool: Spool
    mailbox: str = "local"
    pipeline: str = "quickstart"
    base: Path = Path("/nonexistent")
    host: str = "mx.example.com"
    largest: int = 1_000_000
    inline: int = 65536
    taking: Failures = field(default_factory=Failures)
    drafting: Failures = field(default_factory=Failures)
    storing: Failures = field(default_factory=Failures)
    full: threading.Event = field(default_factory=threading.Event)
    held: threading.Event = field(default_factory=threading.Event)
    began: threading.Event = field(default_factory=threading.Event)
    codes: list[int] = field(default_factory=list)
    listens: threading.Event = field(default_factory=threading.Event)
    foresight: Foresight | None = None

    async def room(self) -> None:
        while self.full.is_set():
            await asyncio.sleep(0.01)

    async def take(self, batch: Batch) -> tuple[Recorded | Refused, ...]:
        self.began.set()
        while self.held.is_set():
            await asyncio.sleep(0.01)
        self.taking.count()
        return await asyncio.to_thread(self.ledger.record, self.mailbox, batch)

    async def foresee(self, arrival: Arrival) -> tuple[Arrival, str]:
        assert self.foresight is not None
        return await asyncio.to_thread(self.foresight.look, self.mailbox, arrival)

    async def forget(self, arrivals: Sequence[Arrival], *, keep: bool) -> None:
        assert self.foresight is not None
        await asyncio.to_thread(self.foresight.forget, self.mailbox, arrivals, keep=keep)

    def draft(self) -> Draft:
        self.drafting.count()
        return self.spool.draft()

    async def store(self, draft: Draft) -> Blob:
        self.storing.count()
        return await asyncio.to_thread(draft.finish)

    def connected(self) -> None:
        self.listens.set()

    def replied(self, code: int) -> None:
        self.codes.append(code)

    def rows(self) -> list[Row]:
        return list(reversed(self.ledger.find(Query(mailbox=self.mailbox))))

    def bytes_of(self, row: Row) -> bytes:
        """The message as it was taken, without what was added on top."""
        inline = self.ledger.content(row)
        if inline is not None:
            return bytes(inline)
        assert row.blob is not None
        with self.spool.open(row.blob) as content:
            return bytes(content)


class Client:
    """Says what it is told and checks what it hears."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._connection.settimeout(DEADLINE)
        self._heard = b""

    def say(self, octets: bytes) -> None:
        self._connection.sendall(octets)

    def hear(self) -> bytes:
        """One reply, all its lines; empty where the connection ended."""
        lines = b""
        while not lines or lines.rsplit(b"\r\n", 2)[-2][3:4] == b"-":
            while b"\r\n" not in self._heard:
                more = self._connection.recv(65536)
                if not more:
                    return b""
                self._heard += more
            line, _, self._heard = self._heard.partition(b"\r\n")
            lines += line + b"\r\n"
        return lines

    def heard(self, count: int) -> list[int]:
        """The codes of so many replies."""
        return [int(self.hear()[:3] or b"0") for _ in range(count)]

    def ask(self, line: bytes) -> bytes:
        self.say(line + b"\r\n")
        return self.hear()

    def greeted(self, verb: bytes = b"LHLO") -> Self:
        assert self.hear().startswith(b"220 ")
        assert self.ask(verb + b" client.example").startswith(b"250")
        return self

    def envelope(self, *recipients: str, sender: str = "bob@example.org") -> Self:
        """Up to the reply to DATA."""
        self.say(f"MAIL FROM:<{sender}>\r\n".encode())
        for one in recipients or ("ann@example.com",):
            self.say(f"RCPT TO:<{one}>\r\n".encode())
        self.say(b"DATA\r\n")
        codes = self.heard(2 + len(recipients or ("",)))
        assert codes[0] == 250
        assert codes[-1] == 354
        return self

    def silent(self) -> bool:
        """Whether nothing more has come, when the server has had the chance."""
        self._connection.settimeout(0.2)
        try:
            return not self._heard and self._connection.recv(1, socket.MSG_PEEK) is None
        except TimeoutError:
            return not self._heard
        finally:
            self._connection.settimeout(DEADLINE)

    def encrypted(self) -> Self:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._connection = context.wrap_socket(self._connection)
        return self

    def half_closed(self) -> Self:
        self._connection.shutdown(socket.SHUT_WR)
        return self

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


@dataclass
class Post:
    """A listener that runs. `failed`: what its run raised."""

    desk: Desk
    listener: ListenerSource
    mailbox: ListenerMailbox
    stop: Callable[[], None]
    failed: list[BaseException] = field(default_factory=list)
    complaints: list[dict[str, Any]] = field(default_factory=list)

    def client(self) -> Client:
        """A new connection."""
        if self.mailbox.url.startswith("lmtp+unix:"):
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(self.mailbox.url.removeprefix("lmtp+unix:"))
            return Client(connection)
        return Client(socket.create_connection(("127.0.0.1", self.listener.port), DEADLINE))


Posts = Callable[..., Post]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield Desk(ledger, Spool(tmp_path / "spool"))
    ledger.close()


@pytest.fixture
def posts(desk: Desk) -> Iterator[Posts]:
    """Starts listeners; options of the mailbox by name, `hold` and `drain` in seconds."""
    with ExitStack() as stack:

        def start(
            url: str = "lmtp://127.0.0.1:0",
            *,
            hold: float = 60,
            drain: float = 60,
            planning: float = 60,
            **options: Any,
        ) -> Post:
            mailbox = ListenerMailbox.model_validate({"url": url, **MAILBOX, **options})
            source = ListenerSource(mailbox, hold=hold, drain=drain, planning=planning)
            return stack.enter_context(running(source, mailbox, desk))

        yield start


@contextmanager
def running(listener: ListenerSource, mailbox: ListenerMailbox, desk: Desk) -> Iterator[Post]:
    loop = asyncio.new_event_loop()
    task = loop.create_task(listener.run(desk))  # type: ignore[arg-type]

    def stop() -> None:
        with suppress(RuntimeError):  # it has ended by itself
            loop.call_soon_threadsafe(task.cancel)
        thread.join(DEADLINE)

    post = Post(desk, listener, mailbox, stop)
    loop.set_exception_handler(lambda _, context: post.complaints.append(context))

    def turn() -> None:
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        except PostroomError as error:
            post.failed.append(error)
        finally:
            desk.listens.set()
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    thread = threading.Thread(target=turn)
    thread.start()
    assert desk.listens.wait(DEADLINE), "the listener does not begin"
    desk.listens.clear()
    try:
        yield post
    finally:
        desk.full.clear()
        desk.held.clear()
        if thread.is_alive():
            stop()
        assert not thread.is_alive(), "the listener does not end"
        assert not post.complaints, post.complaints


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings of a certificate that nobody signed but itself."""
    certificate, key = self_signed(tmp_path_factory.mktemp("certificate"), "localhost")
    return {"tls-certificate": str(certificate), "tls-key": str(key)}
