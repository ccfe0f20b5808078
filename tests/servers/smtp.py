"""An SMTP or LMTP server that answers as a test says, for what real ones do rarely."""

import base64
import contextlib
import hashlib
import hmac
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

USER, PASSWORD = "out", "geheim"
EXTENSIONS = ("PIPELINING", "SIZE 10000000", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")
_SALT = b"salt of the tests"


@dataclass(frozen=True, eq=False)
class Received:
    """One message that the server took. `raw`: as it came over the wire, before dots were taken away."""

    sender: str
    recipients: list[str]
    content: bytes
    raw: bytes


@dataclass
class Smtp:
    """A running server; all may be changed meanwhile. Keys of `answers`, `lost` and `silent` are beginnings of commands,
    or `greeting`, `message` (while it comes) and `.` (its end); the longest wins."""

    extensions: tuple[str, ...] = EXTENSIONS
    lmtp: bool = False
    tls: ssl.SSLContext | None = None
    implicit: bool = False  # TLS begins with the connection
    answers: dict[str, str] = field(default_factory=dict)  # with what
    lost: set[str] = field(default_factory=set)  # the connection ends without an answer
    silent: set[str] = field(default_factory=set)  # nobody answers
    injected: str = ""  # sent together with the answer to STARTTLS
    received: list[Received] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    hold: Callable[[Received], object] = lambda _: None  # called before the answer to a message

    def answer(self, command: str, default: str) -> str | None:
        """None: hang up."""
        while self._matched(self.silent, command):
            time.sleep(0.01)
        if self._matched(self.lost, command):
            return None
        found = self._matched(self.answers, command)
        return self.answers[found] if found else default

    def takes(self, end: str) -> bool:
        """Whether the answer to the end of a message is not a refusal; it may be lost all the same."""
        return self.answers.get(self._matched(self.answers, end), "2").startswith("2")

    def _matched(self, known: "dict[str, str] | set[str]", command: str) -> str:
        return max((one for one in known if command.startswith(one)), key=len, default="")


@contextmanager
def serving(path: Path | None = None, at: tuple[str, int] = ("127.0.0.1", 0), **options: object) -> Iterator[Smtp]:
    """On an address and port, port 0 a free one, or a UNIX socket; scripts that hang end with the context."""
    made = Smtp(**options)  # type: ignore[arg-type]  # the fields of the dataclass

    class Handler(socketserver.StreamRequestHandler):
        timeout = 60

        def handle(self) -> None:
            made.connections += 1
            with contextlib.suppress(OSError, EOFError), contextlib.closing(_Talk(made, self)) as talk:
                talk.run()

    server: socketserver.BaseServer
    if path is None:
        server = tcp = _Tcp(at, Handler)
        made.port = tcp.server_address[1]
    else:
        server = unix = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        unix.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield made
    finally:
        made.silent.clear()
        server.shutdown()
        thread.join()
        server.server_close()


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True  # connections of an earlier server at this port may linger


class _Talk:
    """One connection."""

    def __init__(self, server: Smtp, handler: socketserver.StreamRequestHandler) -> None:
        self.server = server
        self.socket = handler.request
        self.encrypted = server.implicit
        if server.implicit and server.tls is not None:
            self.socket = server.tls.wrap_socket(self.socket, server_side=True)
        self.file = self.socket.makefile("rb")
        self.sender: str | None = None
        self.recipients: list[str] = []

    def run(self) -> None:
        self.say("greeting", "220 ready")
        while True:
            command = self.line()
            self.server.commands.append(command)
            word = command.partition(" ")[0].upper()
            match word:
                case "EHLO" | "LHLO":
                    self.hello(command)
                case "STARTTLS":
                    self.starttls()
                case "AUTH":
                    self.authenticate(command)
                case "MAIL":
                    if self.say(command, "250 2.1.0 ok") < 300:
                        self.sender, self.recipients = command.partition("<")[2].partition(">")[0], []
                case "RCPT":
                    if self.say(command, "250 2.1.5 ok" if self.sender is not None else "503 5.5.1 no") < 300:
                        self.recipients.append(command.partition("<")[2].rpartition(">")[0])
                case "DATA":
                    self.data()
                case "RSET":
                    self.sender, self.recipients = None, []
                    self.say(command, "250 2.0.0 ok")
                case "QUIT":
                    self.say(command, "221 2.0.0 bye")
                    return
                case _:
                    self.say(command, "250 2.0.0 ok" if word == "HELO" else "500 5.5.2 what?")

    def line(self) -> str:
        line = self.file.readline()
        if not line:
            raise EOFError
        return str(line.decode(errors="replace").rstrip("\r\n"))

    def close(self) -> None:
        """Also what STARTTLS has put around the connection."""
        self.file.close()
        self.socket.close()

    def say(self, command: str, default: str, more: str = "") -> int:
        text = self.server.answer(command, default)
        if text is None:
            self.hang_up()
        assert text is not None
        return self.send(text, more)

    def send(self, text: str, more: str = "") -> int:
        self.socket.sendall("".join(f"{line}\r\n" for line in text.split("\n")).encode() + more.encode())
        return int(text[:3]) if text[:3].isdigit() else 0

    def hang_up(self) -> None:
        self.close()
        raise EOFError

    def hello(self, command: str) -> None:
        if command.startswith("LHLO") != self.server.lmtp:
            self.say(command, "500 5.5.1 wrong protocol")
            return
        offered = [*self.server.extensions]
        if self.server.tls is not None and not self.encrypted:
            offered.append("STARTTLS")
        lines = ["test.example", *offered]
        self.say(command, "\n".join(f"250{' ' if one is lines[-1] else '-'}{one}" for one in lines))

    def starttls(self) -> None:
        if self.server.tls is None:
            self.say("STARTTLS", "502 5.5.1 no")
            return
        if self.say("STARTTLS", "220 2.0.0 go on", self.server.injected) != 220:
            return
        self.socket = self.server.tls.wrap_socket(self.socket, server_side=True)
        self.file = self.socket.makefile("rb")
        self.encrypted, self.sender = True, None

    def data(self) -> None:
        if self.say("DATA", "354 go on" if self.recipients else "503 5.5.1 no valid recipients") != 354:
            return
        if self.server._matched(self.server.lost | self.server.answers.keys(), "message"):
            self.file.read(10_000)
            self.say("message", "")
            self.hang_up()
        lines = [b"\r\n"]
        while not (lines[-1] == b".\r\n" and lines[-2].endswith(b"\r\n")):
            lines.append(self.file.readline())
            if not lines[-1]:
                raise EOFError
        raw = b"".join(lines[1:])
        content = (b"\r\n" + raw[:-3]).replace(b"\r\n..", b"\r\n.")[2:]
        taken = Received(self.sender or "", self.recipients, content, raw)
        self.server.hold(taken)
        for one in self.recipients if self.server.lmtp else [""]:
            end = f". {one}".strip()
            if self.recipients and self.server.takes(end):
                # Before the answer: who has it may look at once.
                self.server.received.append(taken)
            self.say(end, "250 2.0.0 ok: queued as 4F1B2C" if self.recipients else "554 5.5.1 no")
        self.sender, self.recipients = None, []

    # Who logs in.

    def ask(self, text: str) -> str:
        self.socket.sendall(f"334 {base64.b64encode(text.encode()).decode()}\r\n".encode())
        return base64.b64decode(self.line()).decode()

    def authenticate(self, command: str) -> None:
        _, mechanism, *initial = command.split(" ")
        first = base64.b64decode(initial[0]).decode() if initial else ""
        self.server.logins.append(mechanism)
        match mechanism:
            case "PLAIN":
                good = first == f"\0{USER}\0{PASSWORD}"
            case "LOGIN":
                good = (self.ask("Username:"), self.ask("Password:")) == (USER, PASSWORD)
            case "XOAUTH2":
                good = first == f"user={USER}\1auth=Bearer {PASSWORD}\1\1"
                if not good:
                    assert self.ask('{"status":"401"}') == ""
            case _:
                good = self.scram(first)
        self.say("AUTH", "235 2.7.0 welcome" if good else "535 5.7.8 no")

    def scram(self, first: str) -> bool:
        bare = first.removeprefix("n,,")
        nonce = bare.partition("r=")[2] + "server"
        challenge = f"r={nonce},s={base64.b64encode(_SALT).decode()},i=4096"
        final = self.ask(challenge)
        without, _, proof = final.rpartition(",p=")
        salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), _SALT, 4096)
        text = f"{bare},{challenge},{without}".encode()
        key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(key).digest(), text, "sha256")
        expected = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        if base64.b64decode(proof) != expected:
            return False
        server = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), text, "sha256")
        return self.ask(f"v={base64.b64encode(server).decode()}") == ""
