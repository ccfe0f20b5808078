"""MTA-STS (RFC 8461): what a domain says of its exchangers is kept, and whoever says nothing is asked for nothing."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from postroom.errors import Temporary
from postroom.transports.dns import Resolver
from postroom.transports.mx import MxTransport
from postroom.transports.sts import Policies, parsed
from servers.authority import Authority
from servers.dns import Dns
from servers.smtp import Smtp
from wire.outgoing.test_mx import hosts, only, send, transport


@contextmanager
def policy(authority: Authority, text: str, **more: Any) -> Iterator[int]:
    """A web server with a policy; its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(more.get("status", 200))
            self.send_header("Content-Type", "text/plain")
            if "location" in more:
                self.send_header("Location", more["location"])
            self.end_headers()
            self.wfile.write(text.replace("\n", "\r\n").encode() if self.path == "/.well-known/mta-sts.txt" else b"?")

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = authority.server(more.get("name", "mta-sts.example.com")).wrap_socket(
        server.socket, server_side=True
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


ENFORCED = "version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: 86400\n"


@pytest.fixture
def strict(dns: Dns) -> Dns:
    dns.add("example.com", "MX", "10 mx.example.com.")
    dns.add("mx.example.com", "A", "127.0.0.2")
    dns.text("_mta-sts.example.com", "v=STSv1; id=20260301;")
    dns.add("mta-sts.example.com", "A", "127.0.0.1")
    return dns


def with_policy(dns: Dns, authority: Authority, server: Smtp, port: int) -> MxTransport:
    policies = Policies(Resolver(servers=dns.servers), ca=authority.file, port=port, allow_private=True)
    return transport(dns, server.port, ca=authority.file, policies=policies)


def test_an_enforced_policy_is_kept(strict: Dns, authority: Authority) -> None:
    with policy(authority, ENFORCED) as port, hosts("127.0.0.2", tls=authority.server("mx.example.com")) as (a,):
        assert only(send(with_policy(strict, authority, a, port))).tls == "verified"


@pytest.mark.parametrize(
    ("certificate", "text"),
    [
        (None, ENFORCED),
        ("other.example", ENFORCED),
        ("mx.example.com", ENFORCED.replace("mx.example.com", "*.other.example")),
    ],
    ids=["no TLS", "wrong name", "not named"],
)
def test_an_exchanger_that_a_policy_does_not_admit_gets_nothing(
    strict: Dns, authority: Authority, certificate: str | None, text: str
) -> None:
    tls = authority.server(certificate) if certificate else None
    with policy(authority, text) as port, hosts("127.0.0.2", tls=tls) as (a,):
        with pytest.raises(Temporary):
            send(with_policy(strict, authority, a, port))
        assert not any(one.startswith("MAIL") for one in a.commands)


@pytest.mark.parametrize(
    ("text", "more"),
    [
        (ENFORCED.replace("enforce", "testing"), {}),
        (ENFORCED.replace("STSv1", "STSv2"), {}),
        (ENFORCED, {"status": 404}),
        (ENFORCED, {"status": 302, "location": "https://evil.example/"}),
        (ENFORCED, {"name": "evil.example"}),
        ("x" * 100_000, {}),
    ],
    ids=["testing", "unknown version", "404", "redirect", "wrong certificate", "too large"],
)
def test_a_policy_that_is_none_asks_for_nothing(
    strict: Dns, authority: Authority, text: str, more: dict[str, Any]
) -> None:
    with policy(authority, text, **more) as port, hosts("127.0.0.2") as (a,):
        assert only(send(with_policy(strict, authority, a, port))).tls == "none"


def test_a_policy_is_not_asked_for_in_our_network(strict: Dns, authority: Authority) -> None:
    with policy(authority, ENFORCED) as port:
        policies = Policies(Resolver(servers=strict.servers), ca=authority.file, port=port)
        assert not policies.policy("example.com").enforced


def test_a_policy_stays_in_force_when_it_cannot_be_fetched_anew(strict: Dns, authority: Authority) -> None:
    with hosts("127.0.0.2") as (a,):
        with policy(authority, ENFORCED) as port:
            way = with_policy(strict, authority, a, port)
            with pytest.raises(Temporary):
                send(way)
        strict.zone.pop("_mta-sts.example.com")
        assert way.policies is not None
        assert way.policies.policy("example.com").enforced


@pytest.mark.parametrize(
    ("host", "held"),
    [("mx.example.com", True), ("a.b.example.org", False), ("b.example.org", True), ("example.org", False)],
)
def test_a_star_stands_for_one_label(host: str, held: bool) -> None:
    found = parsed(b"version: STSv1\nmode: enforce\nmx: mx.example.com\nmx: *.example.org\nmax_age: 1\n")
    assert found is not None
    assert found.names(host) is held
