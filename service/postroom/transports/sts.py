"""MTA-STS (RFC 8461): a domain's word on which exchangers are its own, and that they have certificates."""

import http.client
import re
import socket
import ssl
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from postroom.errors import Temporary
from postroom.transports.addresses import is_public
from postroom.transports.dns import Resolver
from postroom.transports.tls import context_of

LARGEST: Final = 64 * 1024  # octets of a policy
SECONDS: Final = 10.0
WHOLE: Final = 30.0  # seconds for all of it
REST: Final = 300.0  # seconds until a policy that could not be had is asked for again
MOST: Final = 1000  # policies that are kept
LONGEST: Final = 31_557_600  # seconds that a policy may be good for
_ID: Final = re.compile(rb"v=STSv1\s*;(?:.*;)?\s*id=([A-Za-z0-9]{1,32})\s*(?:;.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a domain asks for. `patterns`: names of its exchangers, `*.` for one label."""

    enforced: bool = False
    patterns: tuple[str, ...] = ()
    seconds: int = 0

    def names(self, host: str) -> bool:
        """Whether an exchanger is one of its own (RFC 8461 4.1)."""
        return host in self.patterns or f"*.{host.partition('.')[2]}" in self.patterns


NONE: Final = Policy()


class Policies:
    """Fetched over HTTPS and kept as long as they say. A policy that cannot be fetched anew stays in force."""

    def __init__(
        self, resolver: Resolver, *, ca: Path | None = None, port: int = 443, allow_private: bool = False
    ) -> None:
        self._resolver = resolver
        self._allow_private = allow_private
        self._ca = ca
        self._port = port
        self._kept: OrderedDict[str, tuple[bytes, Policy, float]] = OrderedDict()
        self._resting: dict[str, float] = {}
        self._lock = threading.Lock()

    def policy(self, domain: str) -> Policy:
        """That of a recipient's domain; NONE where it has none, or none can be had."""
        with self._lock:
            name, kept, until = self._kept.get(domain, (b"", NONE, 0.0))
        if time.monotonic() > until:
            kept, name = NONE, b""
        offered = self._offered(domain)
        if not offered or offered == name:
            return kept
        if time.monotonic() < self._resting.get(domain, 0.0):
            return kept
        fetched = self._fetched(domain)
        if fetched is None:
            self._rest(domain)
            return kept
        with self._lock:
            self._kept[domain] = (offered, fetched, time.monotonic() + fetched.seconds)
            self._kept.move_to_end(domain)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        return fetched

    def _rest(self, domain: str) -> None:
        """Not every message to a domain whose policy cannot be had waits for it."""
        if len(self._resting) >= MOST:
            self._resting.clear()
        self._resting[domain] = time.monotonic() + REST

    def _offered(self, domain: str) -> bytes:
        """The policy's name; empty: the domain speaks of none."""
        try:
            texts = [one for one in self._resolver.texts(f"_mta-sts.{domain}").records if one.startswith(b"v=STSv1")]
        except Temporary:
            return b""
        found = _ID.fullmatch(texts[0]) if len(texts) == 1 else None
        return found[1] if found else b""

    def _fetched(self, domain: str) -> Policy | None:
        host = f"mta-sts.{domain}"
        try:
            addresses = self._resolver.addresses(host, "A").records or self._resolver.addresses(host, "AAAA").records
            if not addresses or not (self._allow_private or is_public(addresses[0])):
                return None
            return parsed(_got(host, addresses[0], self._port, context_of(self._ca)))
        except (OSError, ValueError, Temporary, http.client.HTTPException):
            return None


def parsed(text: bytes) -> Policy | None:
    """A policy as it is published; None: it is none."""
    values: dict[str, list[str]] = {}
    for line in text.decode("utf-8", "replace").splitlines():
        key, _, value = line.partition(":")
        values.setdefault(key.strip(), []).append(value.strip().lower())
    age = values.get("max_age", [""])[0]
    if values.get("version") != ["stsv1"] or not re.fullmatch(r"\d{1,10}", age):
        return None
    mode = values.get("mode", [""])[0]
    return Policy(
        enforced=mode == "enforce",
        patterns=tuple(values.get("mx", ())[:100]),
        seconds=min(int(age), LONGEST),
    )


def _got(host: str, address: str, port: int, context: ssl.SSLContext) -> bytes:
    """The policy's text; no redirect is followed (RFC 8461 3.3). Raises OSError, ValueError and HTTPException."""
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    with socket.create_connection((address, port), SECONDS) as plain:
        secured = context.wrap_socket(plain, server_hostname=host)
    # A server that sends an octet now and then would never come to an end.
    limit = threading.Timer(WHOLE, _cut, (secured,))
    limit.daemon = True
    limit.start()
    connection.sock = secured
    try:
        connection.request("GET", "/.well-known/mta-sts.txt")
        with connection.getresponse() as response:
            if response.status != 200 or not (response.getheader("Content-Type") or "").startswith("text/plain"):
                raise ValueError("no policy")
            text = response.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise ValueError("too large")
        return text
    finally:
        limit.cancel()
        connection.close()
        secured.close()


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
