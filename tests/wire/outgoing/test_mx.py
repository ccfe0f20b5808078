"""Mail to the mail exchangers of its recipients: a loopback DNS says which, and servers answer as a test says."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import pytest

from postroom.errors import Temporary
from postroom.pipeline.outgoing import Mail, Reply
from postroom.transports.dns import Resolver
from postroom.transports.mx import MxTransport
from postroom.transports.routes import Routes
from postroom.transports.smtp.terms import Terms
from postroom.transports.sts import Policy
from servers.authority import Authority
from servers.dns import Dns
from servers.ports import free_port
from servers.smtp import Smtp, serving

MESSAGE = b"Subject: hi\r\n\r\nHello.\r\n"
RECIPIENT = "bob@example.com"


def transport(dns: Dns, port: int, **changes: Any) -> MxTransport:
    terms = {"encryption": "opportunistic", "helo": "us.example", "timeout": 30.0, "port": port}
    terms |= {name: changes.pop(name) for name in ("encryption", "ca", "timeout") if name in changes}
    given: dict[str, Any] = {
        "terms": Terms(**terms),
        "resolver": Resolver(servers=dns.servers, timeout=timedelta(seconds=20)),
        "allow_private": True,
    }
    return MxTransport(**(given | changes))


def send(way: MxTransport, *recipients: str) -> dict[str, Reply]:
    mail = Mail(sender="ann@example.org", recipients=recipients or (RECIPIENT,), chunks=(MESSAGE,))
    return dict(way.send(mail))


def only(replies: dict[str, Reply]) -> Reply:
    (reply,) = replies.values()
    return reply


@contextmanager
def hosts(*addresses: str, **options: Any) -> Iterator[list[Smtp]]:
    """Servers on one port of several loopback addresses."""
    port = free_port()
    with ExitStack() as stack:
        yield [stack.enter_context(serving(at=(address, port), **options)) for address in addresses]


def test_the_most_preferred_exchanger_gets_it(dns: Dns) -> None:
    dns.add("example.com", "MX", "20 b.example.com.", "10 a.example.com.")
    dns.add("a.example.com", "A", "127.0.0.2")
    dns.add("b.example.com", "A", "127.0.0.3")
    with hosts("127.0.0.2", "127.0.0.3") as (a, b):
        assert only(send(transport(dns, a.port))).tls == "none"
        assert (len(a.received), len(b.received)) == (1, 0)


@pytest.mark.parametrize("fault", ["greeting", "EHLO", "MAIL"])
def test_the_next_one_is_tried_where_the_first_has_trouble(dns: Dns, fault: str) -> None:
    dns.add("example.com", "MX", "10 a.example.com.", "20 b.example.com.")
    dns.add("a.example.com", "A", "127.0.0.2")
    dns.add("b.example.com", "A", "127.0.0.3")
    with hosts("127.0.0.2", "127.0.0.3") as (a, b):
        a.lost.add(fault)
        assert only(send(transport(dns, a.port))).verdict == "done"
        assert len(b.received) == 1


def test_an_answer_lost_after_the_final_dot_goes_to_no_other_exchanger(dns: Dns) -> None:
    dns.add("example.com", "MX", "10 a.example.com.", "20 b.example.com.")
    dns.add("a.example.com", "A", "127.0.0.2")
    dns.add("b.example.com", "A", "127.0.0.3")
    with hosts("127.0.0.2", "127.0.0.3") as (a, b):
        a.lost.add(".")
        assert only(send(transport(dns, a.port))).verdict == "uncertain"
        assert b.connections == 0


def test_a_domain_without_exchangers_takes_mail_at_its_address(dns: Dns) -> None:
    dns.add("example.com", "A", "127.0.0.2")
    with hosts("127.0.0.2") as (a,):
        assert only(send(transport(dns, a.port))).verdict == "done"


@pytest.mark.parametrize(
    ("records", "recipient", "enhanced"),
    [
        ({"example.com": {"MX": ["0 ."]}}, RECIPIENT, "5.1.10"),
        ({}, RECIPIENT, "5.1.2"),
        ({"example.com": {"TXT": ['"x"']}}, RECIPIENT, "5.4.4"),
        ({}, "bob@[127.0.0.1]", "5.1.2"),
        ({"example.com": {"MX": ["10 us.example.", "20 backup.example."]}}, RECIPIENT, "5.4.6"),
    ],
    ids=["null MX", "no domain", "no address", "literal", "ourselves"],
)
def test_where_nobody_takes_mail_it_fails_for_good(
    dns: Dns, records: dict[str, dict[str, list[str]]], recipient: str, enhanced: str
) -> None:
    dns.zone |= records
    reply = only(send(transport(dns, 1), recipient))
    assert (reply.verdict, reply.enhanced) == ("dead", enhanced)


@pytest.mark.parametrize("name", ["example.com", "a.example.com"])
def test_a_dns_that_does_not_answer_is_temporary(dns: Dns, name: str) -> None:
    dns.add("example.com", "MX", "10 a.example.com.")
    dns.faults[name] = "servfail"
    with pytest.raises(Temporary):
        send(transport(dns, 1))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1", "fe80::1", "fd00::1",
        "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1",
    ],
)  # fmt: skip
def test_a_strangers_domain_does_not_lead_into_our_network(dns: Dns, address: str) -> None:
    dns.add("example.com", "MX", "10 mx.example.com.")
    dns.add("mx.example.com", "AAAA" if ":" in address else "A", address)
    with hosts("127.0.0.1") as (here,):
        reply = only(send(transport(dns, here.port, allow_private=False)))
        assert (reply.verdict, reply.enhanced) == ("dead", "5.4.4")
        assert "allow-private" in reply.text
        assert here.connections == 0


def test_an_exchanger_in_our_network_is_passed_over_for_one_outside(dns: Dns) -> None:
    dns.add("example.com", "MX", "10 a.example.com.", "20 b.example.com.")
    dns.add("a.example.com", "A", "127.0.0.1", "10.0.0.1")
    dns.add("b.example.com", "A", "127.0.0.1", "198.41.0.4")
    routes = Routes(resolver=Resolver(servers=dns.servers), own="us.example")
    assert list(routes.places("example.com", Policy())) == [("b.example.com", "198.41.0.4")]


def test_the_address_that_was_looked_at_is_connected_to_whatever_a_second_answer_says(dns: Dns) -> None:
    """DNS rebinding: this machine's own resolver has another address for the name."""
    dns.add("example.com", "MX", "10 localhost.")
    dns.add("localhost", "A", "127.0.0.2")
    with hosts("127.0.0.2", "127.0.0.1") as (looked_at, other):
        assert only(send(transport(dns, looked_at.port))).verdict == "done"
        assert (len(looked_at.received), other.connections) == (1, 0)


def test_domains_have_their_own_results(dns: Dns) -> None:
    dns.add("good.example", "A", "127.0.0.2")
    dns.faults["away.example"] = "servfail"
    with hosts("127.0.0.2") as (a,):
        replies = send(transport(dns, a.port), "a@good.example", "b@away.example", "c@none.example")
    assert [replies[one].verdict for one in ("a@good.example", "b@away.example", "c@none.example")] == [
        "done",
        "later",
        "dead",
    ]


# TLS.


@pytest.mark.parametrize(("name", "expected"), [("mx.example.com", "verified"), ("other.example", "unverified")])
def test_tls_is_used_where_it_is_offered_and_says_who_was_there(
    dns: Dns, authority: Authority, name: str, expected: str
) -> None:
    dns.add("example.com", "MX", "10 mx.example.com.")
    dns.add("mx.example.com", "A", "127.0.0.2")
    with hosts("127.0.0.2", tls=authority.server(name)) as (a,):
        assert only(send(transport(dns, a.port, ca=authority.file))).tls == expected


def test_where_tls_is_required_it_is_verified(dns: Dns, authority: Authority) -> None:
    dns.add("example.com", "A", "127.0.0.2")
    with hosts("127.0.0.2", tls=authority.server("other.example")) as (a,):
        with pytest.raises(Temporary, match="not trusted"):
            send(transport(dns, a.port, ca=authority.file, encryption="starttls"))
        assert not a.received
