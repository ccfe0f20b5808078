"""A pure relay tells a sender of what went nowhere, and only one for whom its own domain stands (RFC 3464)."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from postroom.app import home, make_tools, open_ledger, open_spool
from postroom.ledger import Arrival, Batch, Ledger, Query, Recorded
from postroom.logs import StandardError
from postroom.message import parse
from postroom.settings import load, load_pipelines
from postroom.work import Seat, Worker
from postroom.work.claims import Keeper, Labour
from servers.dns import Dns
from servers.signer import Signer
from servers.smtp import Smtp
from wire.outgoing.conftest import MESSAGE

SENDER = "jane@home.example"


class Relay:
    """A listener's mailbox with `store: none`, whose messages are worked on at once."""

    def __init__(self, ledger: Ledger, labour: Labour) -> None:
        self.ledger = ledger
        self._labour = labour

    def take(self, content: bytes, sender: str = SENDER, client: str = "") -> str:
        """What became of a message. `client`: the address that it came from."""
        now = datetime.now(UTC)
        arrival = Arrival(
            source_key=str(now),
            pipeline="main",
            received=now,
            sender=sender,
            recipients=("you@home.example",),
            content=content,
            prefix=f"Received: from a.example ([{client}])\r\n\tby relay.example with ESMTP id 1; x\r\n".encode()
            if client
            else b"",
        )
        [recorded] = self.ledger.record("in", Batch(arrivals=(arrival,)))
        assert isinstance(recorded, Recorded)
        self._labour.process([recorded.id])
        [row] = self.ledger.find(Query(limit=1))
        return row.state.value


@pytest.fixture
def relay(tmp_path: Path, server: Smtp, dns: Dns) -> Iterator[Relay]:
    (tmp_path / "pipelines").mkdir()
    rules = {"rules": [{"name": "all", "do": [{"forward": "bob@example.net"}, "discard"]}]}
    (tmp_path / "pipelines" / "main.yaml").write_text(yaml.safe_dump(rules))
    mailbox = {"url": "lmtp+unix:l.sock", "pipeline": "main", "store": "none", "recipients": [{"to": "*"}]}
    written = {
        "state": "state",
        "pipelines": "pipelines",
        "host": "relay.example",
        "mailboxes": {"in": mailbox},
        "servers": {"relay": {"url": f"smtp://127.0.0.1:{server.port}", "tls": "off"}},
        "defaults": {"server": "relay"},
        "resolver": {"servers": [f"127.0.0.1:{dns.port}"], "timeout": "2s"},
        "trust": {"hosts": ["mx.relay.example", "10.0.0.2"], "authserv-id": ["relay.example"]},
    }
    (tmp_path / "postroom.yaml").write_text(yaml.safe_dump(written))
    settings = load(tmp_path / "postroom.yaml")
    known, log = load_pipelines(settings), StandardError(level="error")
    with contextlib.ExitStack() as stack:
        ledger = stack.enter_context(open_ledger(settings, settings.state_of()))
        worker = Worker(
            ledger=ledger,
            spool=open_spool(settings, settings.state_of()),
            tools=make_tools(settings, settings.state_of(), ledger),
            pipelines=lambda _: known,
            retry=settings.retry,
            log=log,
        )
        keeper = Keeper(ledger, log)
        stack.callback(keeper.close)
        of = settings.mailboxes["in"]
        yield Relay(
            ledger,
            Labour(worker, keeper, lambda row: Seat(home(of, row.store), lambda _: True, bounces=True), lambda _: None),
        )


@pytest.fixture
def signed(tmp_path: Path, dns: Dns) -> Callable[[bytes], bytes]:
    return Signer(tmp_path, dns).signed


def refuse(server: Smtp) -> None:
    server.answers["RCPT TO:<bob@"] = "550 5.1.1 <bob@example.net>: nobody of this name"


def test_a_sender_whose_domain_signed_the_message_is_told(
    relay: Relay, server: Smtp, signed: Callable[[bytes], bytes]
) -> None:
    refuse(server)
    assert relay.take(signed(MESSAGE)) == "dead"
    [bounce] = server.received
    assert (bounce.sender, bounce.recipients) == ("", [SENDER])
    told = parse(bounce.content)
    assert told.is_bounce
    assert told.is_auto_submitted
    assert [part.content_type for part in told.parts[1:]] == [
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    assert b"Final-Recipient: rfc822; bob@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n" in bounce.content
    assert b"Lunch at one" not in bounce.content


@pytest.mark.parametrize(
    ("message", "sender"),
    [
        (MESSAGE, ""),
        (MESSAGE, "eve@evil.example"),
        (MESSAGE.replace(b"From:", b"Auto-Submitted: auto-replied\nFrom:"), SENDER),
        (MESSAGE.replace(b"From:", b"List-Id: <l.home.example>\nFrom:"), SENDER),
        (MESSAGE.replace(b"From:", b"Precedence: bulk\nFrom:"), SENDER),
    ],
    ids=["<>", "another's domain", "auto-submitted", "list", "bulk"],
)
def test_nobody_else_is_told(
    relay: Relay, server: Smtp, signed: Callable[[bytes], bytes], message: bytes, sender: str
) -> None:
    refuse(server)
    assert relay.take(signed(message), sender) == "dead"
    assert server.received == []


def test_an_unsigned_message_is_no_ones(relay: Relay, server: Smtp) -> None:
    refuse(server)
    assert relay.take(MESSAGE) == "dead"
    assert server.received == []


def test_a_changed_message_is_no_ones(relay: Relay, server: Smtp, signed: Callable[[bytes], bytes]) -> None:
    refuse(server)
    assert relay.take(signed(MESSAGE).replace(b"Lunch", b"Dinner")) == "dead"
    assert server.received == []


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


def test_what_was_delivered_brings_no_report(relay: Relay, server: Smtp, signed: Callable[[bytes], bytes]) -> None:
    assert relay.take(signed(MESSAGE)) == "settled"
    assert [one.recipients for one in server.received] == [["bob@example.net"]]
