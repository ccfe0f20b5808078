"""A web server that keeps what it was sent, with TLS or without, and one that plays a script of octets."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True)
class Request:
    """As it came. Names of headers are lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Web:
    """`answers` are given in order as status and headers, the last one for all that follow."""

    port: int = 0
    answers: list[tuple[int, Mapping[str, str]]] = field(default_factory=lambda: [(204, {})])
    requests: list[Request] = field(default_factory=list)
    hold: Callable[[Request], object] = lambda _: None  # called before an answer
    names: list[str] = field(default_factory=list)  # what TLS clients said that they want to talk to

    def url(self, path: str = "/hook", *, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    def answer(self) -> tuple[int, Mapping[str, str]]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def serving(certificate: tuple[Path, Path] | None = None) -> Iterator[Web]:
    """`certificate`: with its key."""
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.path, headers, body)
            web.requests.append(request)
            web.hold(request)
            status, told = web.answer()
            self.send_response(status)
            for name, value in told.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that hangs up is what some tests are about

    server = Server(("127.0.0.1", 0), Handler)
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
        context.sni_callback = lambda _sock, name, _context: web.names.append(name or "")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    web.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextmanager
def lying(play: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that plays this on each connection after it has read the head of a request."""
    listening = socket.create_server(("127.0.0.1", 0))
    open_ones: list[socket.socket] = []

    def one(peer: socket.socket) -> None:
        with suppress(OSError), peer:
            seen = b""
            while b"\r\n\r\n" not in seen and (more := peer.recv(65536)):
                seen += more
            play(peer)

    def run() -> None:
        with suppress(OSError):
            while True:
                peer, _ = listening.accept()
                open_ones.append(peer)
                threading.Thread(target=one, args=(peer,), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for peer in open_ones:
            peer.close()


def silent(peer: socket.socket) -> None:
    """A play: nothing is said until the client goes."""
    while peer.recv(65536):
        pass
