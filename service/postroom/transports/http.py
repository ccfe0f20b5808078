"""One POST to somebody's server: bounded in time and size, to an address that was checked, never redirected.

The name is resolved once and every address looked at; the connection goes to one of those. TLS is verified for the
name.
"""

import http.client
import re
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from postroom.errors import Permanent, Temporary
from postroom.transports.addresses import is_public
from postroom.transports.bounded import within
from postroom.transports.connection import Connection, Deadline
from postroom.transports.tls import context_of

Chunks = Sequence[bytes | memoryview]
Resolve = Callable[[str, int], Sequence[str]]
AGENT: Final = "postroom"
PORTS: Final = {"http": 80, "https": 443}
MOST_ADDRESSES: Final = 8  # of a name, tried one after another
LATER: Final = frozenset({408, 425, 429})
SOONEST: Final = timedelta(minutes=1)  # a server that says "at once" for days is not asked at once for days
_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}")
_DIGITS: Final = re.compile(r"\s*([0-9]{1,9})\s*")


@dataclass(frozen=True, kw_only=True)
class Post:
    """What goes out. `headers` hold nothing that the connection sets itself: Host, Content-Length, Connection."""

    url: str
    headers: Mapping[str, str]
    chunks: Chunks
    timeout: timedelta  # for all of it
    allow_private: bool = False
    ca: Path | None = None  # what is trusted; None: what the system trusts


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said, without the body. `after`: when it wants to be asked again."""

    status: int
    after: timedelta | None = None

    def check(self) -> None:
        """Raise Temporary or Permanent unless it was a success."""
        told = f"the server answered with status {self.status}"
        if 200 <= self.status < 300:
            return
        if 300 <= self.status < 400:
            raise Permanent(f"{told}: redirects are not followed, write the address it leads to")
        if 400 <= self.status < 500 and self.status not in LATER:
            raise Permanent(told)
        raise Temporary(told, after=None if self.after is None else max(self.after, SOONEST))


def host_of(url: str) -> str:
    """The host of a URL that we would ask, in lower case. Raises ValueError with the remedy."""
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("a URL is printable ASCII without spaces: percent-encode the rest, write names as xn--…")
    parts = urlsplit(url)
    if parts.scheme not in PORTS:
        raise ValueError("must begin with https:// or http://")
    if "@" in parts.netloc:
        raise ValueError("a user or password does not belong into the URL: use `token` or `headers`")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0 or not _HOST.fullmatch(parts.hostname or ""):
        raise ValueError("its host or port cannot be read")
    return (parts.hostname or "").lower()


def post(request: Post, *, resolve: Resolve | None = None) -> Answer:
    """Send it and wait for what the server says. Raises Temporary, and Permanent for addresses that are not allowed."""
    try:
        host = host_of(request.url)
    except ValueError as error:
        raise Permanent(f"the URL cannot be asked: {error}") from None
    parts = urlsplit(request.url)
    deadline = Deadline(request.timeout)
    addresses = _checked(host, parts, request, resolve or system_addresses, deadline)
    port = parts.port or PORTS[parts.scheme]
    connection = Connection(host, port, addresses, deadline, _context(request) if parts.scheme == "https" else None)
    try:
        return _exchanged(connection, parts, request)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Temporary(_told(error)) from error
    finally:
        connection.close()


def system_addresses(host: str, port: int) -> Sequence[str]:
    """Addresses as this machine finds them: /etc/hosts, then the DNS. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(one[4][0]) for one in found))


def _checked(host: str, parts: SplitResult, request: Post, resolve: Resolve, deadline: Deadline) -> Sequence[str]:
    """All addresses of the name. One that is not allowed among them condemns the name: who mixes them means harm."""
    found = _resolved(host, parts.port or PORTS[parts.scheme], resolve, deadline)
    if not request.allow_private and not all(map(is_public, found)):
        raise Permanent("the URL leads to a private, loopback or link-local address: `allow-private: true` allows it")
    return found[:MOST_ADDRESSES]


def _resolved(host: str, port: int, resolve: Resolve, deadline: Deadline) -> Sequence[str]:
    """The system's resolver knows no limit of ours."""
    try:
        found = within(deadline.left(), lambda: resolve(host, port))
    except (OSError, ValueError):
        found = ()
    if not found:
        raise Temporary("the server's name cannot be resolved now")
    return found


def _context(request: Post) -> ssl.SSLContext:
    try:
        return context_of(request.ca)
    except (OSError, ValueError):
        raise Temporary("the certificates of `tls-ca` cannot be read") from None


def _exchanged(connection: Connection, parts: SplitResult, request: Post) -> Answer:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.putrequest("POST", target, skip_accept_encoding=True)
    connection.putheader("Content-Length", str(sum(map(len, request.chunks))))
    connection.putheader("Connection", "close")
    for name, value in {"User-Agent": AGENT, "Accept": "*/*", **request.headers}.items():
        connection.putheader(name, value.encode("utf-8", "replace"))
    try:
        connection.endheaders()
        for chunk in request.chunks:
            connection.send(chunk)
    except OSError:
        # A server may refuse what it has not read to its end; what it says counts more than that it hung up.
        if connection.sock is None:
            raise
    answer = connection.getresponse()
    return Answer(answer.status, _after(answer.getheader("Retry-After"), datetime.now(UTC)))


def _after(value: str | None, now: datetime) -> timedelta | None:
    """Seconds or a date (RFC 9110 §10.2.3); None for what cannot be read."""
    if value is None or len(value) > 100:
        return None
    if found := _DIGITS.fullmatch(value):
        return timedelta(seconds=int(found[1]))
    try:
        at = parsedate_to_datetime(value)
        return max(at.replace(tzinfo=at.tzinfo or UTC) - now, timedelta(0))
    except (ValueError, TypeError, OverflowError):
        return None


def _told(error: Exception) -> str:
    """Without anything that the server said."""
    match error:
        case TimeoutError():
            return "the server took too long"
        case ssl.SSLCertVerificationError():
            return f"the server's certificate cannot be trusted: {error.verify_message}"
        case ssl.SSLError():
            return "TLS with the server failed"
        case http.client.HTTPException() | ValueError():
            return "the server's answer is no HTTP, or too long"
        case OSError():
            return f"the server cannot be reached: {error.strerror or type(error).__name__}"
    return "the server cannot be asked"
