"""The page for Prometheus and the answers for whoever watches this process: /metrics, /healthz, /readyz over HTTP.

A thread with an event loop of its own serves them, so that they are answered also while the rest is stuck, and says so.
Every wait, line and number of clients is bounded; a client never sees a trace of an error.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus

from postroom.asking import Question
from postroom.errors import PostroomError, Temporary, cause

Check = Callable[[], str | None]
"""A sentence that says what is wrong; None: nothing. Raising is an answer too."""

CLIENTS = 16
DEADLINE = 10.0  # seconds for everything between a connection and its end
PATIENCE = 3.0  # seconds for all checks together
HEAD = 16_384  # octets of a request
TEXT = "text/plain; charset=utf-8"


class Pulse:
    """Whether an event loop is alive: it beats, others listen."""

    def __init__(self, *, most: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._last = clock()

    def beat(self) -> None:
        """Called by what has to be alive."""
        self._last = self._clock()

    def check(self) -> str | None:
        """What is wrong."""
        silent = self._clock() - self._last
        return f"the event loop has been stuck for {silent:.0f} s" if silent > self._most else None

    async def run(self, every: float = 1.0) -> None:
        """Beat until cancelled."""
        while True:
            self.beat()
            await asyncio.sleep(every)


@dataclass(frozen=True, slots=True)
class Page:
    """What a client gets."""

    status: HTTPStatus
    body: bytes
    kind: str = TEXT

    @classmethod
    def told(cls, status: HTTPStatus, text: str = "") -> "Page":
        return cls(status, f"{text or status.phrase}\n".encode())


class Health:
    """The HTTP server. `alive` and `ready` are named checks; port 0 is any free one, `address` says which."""

    def __init__(
        self,
        listen: str,
        *,
        metrics: Callable[[str], tuple[bytes, str]],
        alive: Mapping[str, Check],
        ready: Mapping[str, Check],
        deadline: float = DEADLINE,
        patience: float = PATIENCE,
    ) -> None:
        self._listen = listen
        self._metrics = metrics
        self._alive = {name: Question(check, fresh=0.2) for name, check in alive.items()}
        self._ready = {name: Question(check, fresh=0.2) for name, check in ready.items()}
        self._deadline = deadline
        self._patience = patience
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._waiting = ThreadPoolExecutor(CLIENTS, "health")
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)
        self._serving = threading.Event()

    def start(self) -> None:
        """Serve from here on. Raises Temporary where the address cannot be had."""
        self._socket = _bound(self._listen)
        self._thread.start()
        self._serving.wait(5)

    @property
    def address(self) -> str:
        """ADDRESS:PORT as it came out."""
        host, port = self._socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def stop(self) -> None:
        """Close the port; who is being answered is cut off."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(5)
        self._waiting.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._arrived, sock=self._socket, limit=HEAD)
        self._serving.set()
        await self._over.wait()
        # asyncio forgets a connection that is half accepted when the server closes: it goes on to `_arrived` first.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for client in self._clients:
                client.cancel()
            await asyncio.wait(others)
        server.close()

    def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._over.is_set():
            writer.transport.abort()
            return
        task = self._loop.create_task(self._client(reader, writer))
        self._clients[task] = writer
        task.add_done_callback(lambda done: self._clients.pop(done).transport.abort())

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(self._deadline):
                if len(self._clients) > CLIENTS:
                    method, page = "GET", Page.told(HTTPStatus.SERVICE_UNAVAILABLE, "too many clients")
                else:
                    method, page = await self._answered(reader)
                writer.write(_written(page, with_body=method != "HEAD"))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, OSError):
            pass  # too slow, or gone

    async def _answered(self, reader: asyncio.StreamReader) -> tuple[str, Page]:
        """The method asked for, and the answer."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return "GET", Page.told(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        except asyncio.IncompleteReadError:
            return "GET", Page.told(HTTPStatus.BAD_REQUEST)
        first, *fields = head.decode("latin-1").split("\r\n")
        match first.split(" "):
            case [("GET" | "HEAD") as method, target, version] if version.startswith("HTTP/1."):
                return method, await self._page(target.partition("?")[0], fields)
            case [_, _, version] if version.startswith("HTTP/"):
                return "GET", Page.told(HTTPStatus.METHOD_NOT_ALLOWED)
            case _:
                return "GET", Page.told(HTTPStatus.BAD_REQUEST)

    async def _page(self, path: str, fields: list[str]) -> Page:
        try:
            match path:
                case "/metrics":
                    return await self._beside(lambda: Page(HTTPStatus.OK, *self._metrics(_accept(fields))))
                case "/healthz":
                    return await self._beside(lambda: checked(self._alive, self._patience))
                case "/readyz":
                    return await self._beside(lambda: checked(self._ready, self._patience))
                case "/":
                    return Page.told(HTTPStatus.OK, "/metrics\n/healthz\n/readyz")
                case _:
                    return Page.told(HTTPStatus.NOT_FOUND)
        except Exception:  # ours; the client is told so and no more
            return Page.told(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _beside(self, make: Callable[[], Page]) -> Awaitable[Page]:
        return self._loop.run_in_executor(self._waiting, make)


def _bound(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    try:
        [(family, *_, address), *_] = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        return socket.create_server(address[:2], family=family, backlog=CLIENTS)
    except OSError as error:
        raise Temporary(f"metrics cannot listen on {listen}: {cause(error)}; choose another, or `none`") from error


def checked(checks: Mapping[str, Question[str | None]], patience: float) -> Page:
    """One line for each check: 200 where all is well, 503 otherwise."""
    for question in checks.values():
        question.ask()  # all at once; then they are waited for
    end = time.monotonic() + patience
    wrong = {name: _wrong(question, max(0.0, end - time.monotonic())) for name, question in checks.items()}
    lines = [f"{name}: {text or 'ok'}" for name, text in wrong.items()]
    status = HTTPStatus.SERVICE_UNAVAILABLE if any(wrong.values()) else HTTPStatus.OK
    return Page.told(status, "\n".join(lines))


def _wrong(question: Question[str | None], seconds: float) -> str | None:
    try:
        return question.answer(seconds)
    except TimeoutError:
        return "no answer in time"
    except PostroomError as error:
        return " ".join(str(error).split())
    except Exception as error:
        return f"cannot be asked: {type(error).__name__}"


def _accept(fields: list[str]) -> str:
    named = (field.partition(":") for field in fields)
    return next((value.strip() for name, _, value in named if name.lower() == "accept"), "")


def _written(page: Page, *, with_body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {page.status.value} {page.status.phrase}\r\n"
        f"Content-Type: {page.kind}\r\n"
        f"Content-Length: {len(page.body)}\r\n"
        "Cache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + (page.body if with_body else b"")
