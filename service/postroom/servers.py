"""The servers of the settings as transports, each made when mail first goes to it: nothing is opened before."""

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from postroom.asking import Question
from postroom.errors import Temporary
from postroom.pipeline.outgoing import Transport
from postroom.settings import Settings
from postroom.settings.domains import dns_server
from postroom.settings.servers import DirectServer, OutboxServer, Paced, RelayServer, SocketServer

if TYPE_CHECKING:
    from postroom.transports.dns import Resolver
    from postroom.transports.smtp.allowance import Allowance, Spend
    from postroom.transports.smtp.terms import Credentials, Terms

SECRET_SECONDS = 40.0  # a program that prints one has ended by then


class Servers(Mapping[str, Transport]):
    """By name. Raises Temporary for one that the settings do not name any more: what waits for it may come back.

    `patience`: seconds that a worker waits for a server to answer at all, as there is other work; None: its time-out.
    """

    def __init__(self, settings: Settings, spend: "Spend", patience: float | None = None) -> None:
        self._patience = patience
        self._settings = settings
        self._spend = spend
        self._made: dict[str, Transport] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> Transport:
        with self._lock:
            if name not in self._made:
                if name not in self._settings.servers:
                    raise Temporary(f"postroom.yaml has no server `{name}` any more")
                self._made[name] = self._transport(name)
            return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings.servers)

    def __len__(self) -> int:
        return len(self._settings.servers)

    def close(self) -> None:
        """End the connections that nobody uses."""
        with self._lock:
            made, self._made = self._made, {}
        for one in made.values():
            close: Callable[[], None] = getattr(one, "close", lambda: None)
            close()

    def _transport(self, name: str) -> Transport:
        match self._settings.servers[name]:
            case OutboxServer() as outbox:
                from postroom.transports.outbox import Outbox

                return Outbox(directory=outbox.directory(self._base), host=self._settings.host)
            case DirectServer() as direct:
                return self._direct(name, direct)
            case RelayServer() | SocketServer() as server:
                from postroom.transports.smtp.transport import SmtpTransport

                return SmtpTransport(
                    terms=self._relay(server) if isinstance(server, RelayServer) else self._socket(server),
                    connections=server.connections,
                    holds=server.uncertain == "hold",
                    allowance=self._allowance(name, server),
                    patience=self._patience,
                )

    def _direct(self, name: str, server: DirectServer) -> Transport:
        from postroom.transports.mx import MxTransport
        from postroom.transports.smtp.terms import Terms

        return MxTransport(
            terms=Terms(
                port=server.port,
                encryption="starttls" if server.tls == "required" else "opportunistic",
                ca=server.tls_ca,
                helo=self._settings.host,
                timeout=server.timeout.total_seconds(),
                long_lines=server.long_lines,
            ),
            resolver=make_resolver(self._settings),
            connections=server.connections,
            holds=server.uncertain == "hold",
            allowance=self._allowance(name, server),
            allow_private=server.allow_private,
            patience=self._patience,
        )

    def _relay(self, server: RelayServer) -> "Terms":
        from postroom.transports.smtp.terms import Terms

        return Terms(
            host=server.host,
            port=server.port,
            lmtp=server.scheme == "lmtp",
            encryption="none" if server.tls == "off" else "implicit" if server.scheme == "smtps" else "starttls",
            ca=server.tls_ca,
            helo=self._settings.host,
            credentials=_credentials(server),
            timeout=server.timeout.total_seconds(),
            long_lines=server.long_lines,
        )

    def _socket(self, server: SocketServer) -> "Terms":
        from postroom.transports.smtp.terms import Terms

        return Terms(
            path=server.path(self._base),
            lmtp=True,
            encryption="none",
            helo=self._settings.host,
            timeout=server.timeout.total_seconds(),
            long_lines=server.long_lines,
        )

    def _allowance(self, name: str, server: Paced) -> "Allowance | None":
        from postroom.transports.smtp.allowance import Allowance

        return Allowance(f"server {name}", server.per_minute, self._spend) if server.per_minute else None

    @property
    def _base(self) -> Path:
        return self._settings.file.absolute().parent


def make_resolver(settings: Settings) -> "Resolver":
    """Who answers what the DNS is asked."""
    from postroom.transports.dns import Resolver

    line = settings.resolver
    return Resolver(servers=tuple(map(dns_server, line.servers)), timeout=line.timeout)


def _credentials(server: RelayServer) -> "Credentials | None":
    from postroom.transports.smtp.terms import Credentials

    if server.name is None:
        return None
    # However many connections come up at once, a program that prints a token runs once.
    question = Question(server.credential, fresh=0)
    return Credentials(user=server.name, mechanism=server.auth, secret=lambda: _answered(question))


def _answered(question: Question[str]) -> str:
    try:
        return question.answer(SECRET_SECONDS)
    except TimeoutError:
        raise Temporary("the secret does not come") from None
