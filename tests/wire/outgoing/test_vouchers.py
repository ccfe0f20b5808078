"""Who stands for a sender that is to be told: its domain by DKIM or SPF, and what hosts of ours found."""

from collections.abc import Callable

import pytest

from servers.dns import Dns
from servers.smtp import Smtp
from wire.outgoing.conftest import MESSAGE
from wire.outgoing.relays import SENDER, Relay
from wire.outgoing.test_bounce import refuse

# SPF, by the address that the client had.


CLIENT = "203.0.113.9"
OUTSIDE = b"Received: from a (a [203.0.113.9]) by mx.relay.example (Postfix) with ESMTP id 1; x\n"


@pytest.fixture
def permitted(dns: Dns) -> None:
    """The sender's domain lets one client send in its name."""
    dns.text("home.example", f"v=spf1 ip4:{CLIENT} -all")


@pytest.mark.usefixtures("permitted")
@pytest.mark.parametrize(
    ("message", "client"),
    [
        pytest.param(MESSAGE, CLIENT, id="our listener saw it"),
        pytest.param(OUTSIDE + MESSAGE, "10.0.0.2", id="a host of ours saw it"),
        pytest.param(OUTSIDE + MESSAGE, "127.0.0.1", id="on this machine"),
    ],
)
def test_a_sender_whose_domain_lets_the_client_send_is_told(
    relay: Relay, server: Smtp, message: bytes, client: str
) -> None:
    refuse(server)
    assert relay.take(message, client=client) == "dead"
    assert [(one.sender, one.recipients) for one in server.received] == [("", [SENDER])]


@pytest.mark.usefixtures("permitted")
@pytest.mark.parametrize(
    ("message", "client", "sender"),
    [
        pytest.param(MESSAGE, "203.0.113.10", SENDER, id="another client"),
        pytest.param(MESSAGE, "", SENDER, id="no client"),
        pytest.param(MESSAGE, CLIENT, "eve@evil.example", id="a domain that says nothing"),
        pytest.param(MESSAGE, CLIENT, "", id="<>"),
        pytest.param(OUTSIDE + MESSAGE, "198.51.100.1", SENDER, id="a field that a stranger wrote"),
        pytest.param(MESSAGE.replace(b"From:", b"List-Id: <l.home.example>\nFrom:"), CLIENT, SENDER, id="a list"),
    ],
)
def test_a_client_that_nobody_lets_send_vouches_for_nobody(
    relay: Relay, server: Smtp, message: bytes, client: str, sender: str
) -> None:
    refuse(server)
    assert relay.take(message, sender, client) == "dead"
    assert server.received == []


@pytest.mark.parametrize("record", ["v=spf1 ?all", "v=spf1 ~all", "v=spf1 -all", "v=spf1 nonsense"])
def test_only_a_pass_counts(relay: Relay, server: Smtp, dns: Dns, record: str) -> None:
    dns.text("home.example", record)
    refuse(server)
    assert relay.take(MESSAGE, client=CLIENT) == "dead"
    assert server.received == []


# What hosts of ours wrote when the message came (Authentication-Results).


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ("relay.example; spf=pass smtp.mailfrom=jane@home.example", True),
        ('relay.example; spf=pass (said by "x") smtp.mailfrom=home.example; dkim=none', True),
        ("relay.example; dkim=pass header.d=home.example header.s=s1", True),
        ("relay.example; dkim=pass header.i=@mail.home.example", True),
        ("relay.example; spf=fail smtp.mailfrom=jane@home.example", False),
        ("relay.example; spf=pass smtp.mailfrom=eve@evil.example", False),
        ('relay.example; spf=pass smtp.mailfrom="smtp.mailfrom=jane@home.example"@evil.example', False),
        ("relay.example; spf=pass smtp.mailfrom=eve@evil.example (smtp.mailfrom=jane@home.example)", False),
        ("relay.example; spf=pass smtp.helo=home.example", False),
        ("relay.example; dmarc=pass header.from=home.example", False),
        ("evil.example; spf=pass smtp.mailfrom=jane@home.example", False),
    ],
)
def test_what_a_host_of_ours_found_counts(relay: Relay, server: Smtp, dns: Dns, found: str, told: bool) -> None:
    refuse(server)
    written = f"Authentication-Results: {found}\n".encode()
    assert relay.take(written + OUTSIDE + MESSAGE, client="10.0.0.2") == "dead"
    assert bool(server.received) is told


def test_what_a_stranger_wrote_counts_nothing(relay: Relay, server: Smtp) -> None:
    refuse(server)
    forged = b"Authentication-Results: relay.example; spf=pass smtp.mailfrom=jane@home.example\n"
    for message, client in ((forged + MESSAGE, CLIENT), (OUTSIDE + forged + MESSAGE, "10.0.0.2")):
        assert relay.take(message, client=client) == "dead"
    assert server.received == []


def test_while_the_dns_is_silent_the_report_waits(
    relay: Relay, server: Smtp, dns: Dns, signed: Callable[[bytes], bytes]
) -> None:
    refuse(server)
    message = signed(MESSAGE)
    dns.faults["s1._domainkey.home.example"] = "servfail"
    assert relay.take(message) == "planned"
    assert server.received == []


def test_while_the_dns_is_silent_about_spf_the_report_waits(relay: Relay, server: Smtp, dns: Dns) -> None:
    refuse(server)
    dns.faults["home.example"] = "servfail"
    assert relay.take(MESSAGE, client=CLIENT) == "planned"
    assert server.received == []


def test_a_broken_zone_of_somebody_else_holds_nothing_up(
    relay: Relay, server: Smtp, dns: Dns, signed: Callable[[bytes], bytes]
) -> None:
    refuse(server)
    dns.faults["s1._domainkey.home.example"] = "servfail"
    assert relay.take(signed(MESSAGE), "eve@evil.example") == "dead"
    assert server.received == []
