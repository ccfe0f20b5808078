"""Dovecot's submission service as the next hop, with a relay behind it: who we are is proved to an implementation that
is not ours, and what the relay says comes through."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from postroom.errors import Temporary
from postroom.transports.smtp.terms import Credentials, Mechanism, Terms
from postroom.transports.smtp.transport import SmtpTransport
from servers import dovecot as dovecots
from servers.dns import Dns
from servers.dovecot import PASSWORD, Dovecot, token
from servers.signer import Signer
from servers.sink import Sink
from servers.smtp import Smtp, serving
from wire.outgoing.conftest import MESSAGE, Site
from wire.outgoing.mails import mail, only
from wire.outgoing.test_dkim import AWKWARD


def need() -> None:
    if not dovecots.has_submission():
        pytest.skip("the submission service of Dovecot is missing: apt-get install dovecot-submissiond")


@pytest.fixture(scope="module")
def behind() -> Iterator[tuple[Dovecot, Smtp]]:
    """One for all tests here, and the scripted server that is its relay."""
    need()
    with serving() as relay, dovecots.running(relay=relay.port) as hop:
        yield hop, relay


@pytest.fixture
def next_hop(behind: tuple[Dovecot, Smtp]) -> Dovecot:
    return behind[0]


@pytest.fixture
def server(behind: tuple[Dovecot, Smtp]) -> Iterator[Smtp]:
    relay = behind[1]
    relay.received.clear()
    yield relay
    relay.answers.clear()
    relay.lost.clear()


def write(site: Site, hop: Dovecot, *to: str, password: str = PASSWORD) -> None:
    secret = site.root / "password"
    secret.write_text(password)
    relay = {"url": f"smtp://jane@localhost:{hop.submission}", "auth": "plain", "password-file": str(secret)}
    do = [{"forward": {"to": list(to) or ["bob@example.net"], "on-dmarc-fail": "send"}}, "discard"]
    site.write(0, do, servers={"relay": relay | {"tls-ca": str(hop.ca)}})


@pytest.mark.parametrize("message", [MESSAGE, AWKWARD], ids=["plain", "awkward"])
def test_a_message_arrives_as_it_is_and_the_relays_name_of_it_is_kept(
    site: Site, next_hop: Dovecot, server: Smtp, message: bytes
) -> None:
    write(site, next_hop)
    assert site.filter(message).returncode == 0
    [got] = server.received
    assert (got.sender, got.recipients) == ("jane@home.example", ["bob@example.net"])
    assert got.content.endswith(message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    assert "4F1B2C" in site.shown()
    assert site.kept == 0


def test_a_real_relay_behind_it_gets_the_message(
    site: Site, make_sink: Callable[..., AbstractContextManager[Sink]]
) -> None:
    need()
    with make_sink() as sink, dovecots.running(relay=sink.port) as hop:
        write(site, hop)
        assert site.filter().returncode == 0
        [message] = sink.messages
    assert b"X-Rcpt-Args: <bob@example.net>" in message
    assert message.rstrip(b"\n").endswith(MESSAGE.rstrip(b"\n"))


def transport(hop: Dovecot, mechanism: Mechanism, secret: str) -> SmtpTransport:
    who = Credentials(user="jane", mechanism=mechanism, secret=lambda: secret)
    return SmtpTransport(terms=Terms(host="localhost", port=hop.submission, ca=hop.ca, credentials=who, timeout=20.0))


@pytest.mark.parametrize("mechanism", ["auto", "plain", "login", "scram-sha-256", "xoauth2"])
def test_it_believes_who_we_are(next_hop: Dovecot, server: Smtp, mechanism: Mechanism) -> None:
    secret = token("jane") if mechanism == "xoauth2" else PASSWORD
    reply = only(transport(next_hop, mechanism, secret).send(mail()))
    assert (reply.verdict, reply.tls, len(server.received)) == ("done", "verified", 1)


@pytest.mark.parametrize("mechanism", ["plain", "login", "scram-sha-256", "xoauth2"])
def test_it_refuses_who_we_are_not(next_hop: Dovecot, server: Smtp, mechanism: Mechanism) -> None:
    secret = token("jane", lifetime=-10) if mechanism == "xoauth2" else "wrong-secret"
    with pytest.raises(Temporary, match="the login is refused: 5") as raised:
        transport(next_hop, mechanism, secret).send(mail())
    assert secret not in str(raised.value)
    assert server.received == []


def test_a_wrong_password_waits_and_is_never_told(site: Site, next_hop: Dovecot, server: Smtp) -> None:
    write(site, next_hop, password="wrong-secret")
    done = site.filter()
    assert (done.returncode, server.received) == (75, [])
    assert b"wrong-secret" not in done.stdout + done.stderr
    assert "the login is refused" in site.shown()
    assert "wrong-secret" not in site.shown()


def test_recipients_have_their_own_replies(site: Site, next_hop: Dovecot, server: Smtp) -> None:
    server.answers["RCPT TO:<no@"] = "550 5.1.1 nobody of this name"
    write(site, next_hop, "bob@example.net", "no@example.net")
    assert site.filter().returncode == 0
    assert [got.recipients for got in server.received] == [["bob@example.net"]]
    assert "550 5.1.1" in site.shown()
    assert site.kept == 1


@pytest.mark.parametrize(
    ("where", "answer"), [("RCPT", "451 4.3.0 later"), (".", "452 4.3.1 full"), ("MAIL", "450 no")]
)
def test_what_the_relay_cannot_take_now_waits(
    site: Site, next_hop: Dovecot, server: Smtp, where: str, answer: str
) -> None:
    server.answers[where] = answer
    write(site, next_hop)
    assert site.filter().returncode == 75
    server.answers.clear()
    assert site.filter().returncode == 0
    assert len(server.received) == 1


@pytest.mark.parametrize("where", ["greeting", "MAIL", "RCPT", "DATA"])
def test_a_relay_that_goes_away_loses_nothing(site: Site, next_hop: Dovecot, server: Smtp, where: str) -> None:
    server.lost.add(where)
    write(site, next_hop)
    assert site.filter().returncode == 75
    assert server.received == []
    server.lost.clear()
    assert site.filter().returncode == 0
    assert len(server.received) == 1


@pytest.mark.parametrize("ending", [b"\n.\n", b"\r.\r", b"\r\n.\r", b"\n.\r\n", b"\r\n.\n"], ids=repr)
def test_no_variant_of_the_final_dot_smuggles_a_message(
    site: Site, next_hop: Dovecot, server: Smtp, ending: bytes
) -> None:
    write(site, next_hop)
    smuggled = b"MAIL FROM:<eve@evil.example>\r\nRCPT TO:<eve@example.com>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n"
    assert site.filter(MESSAGE + b"before" + ending + smuggled).returncode == 0
    [got] = server.received
    assert got.recipients == ["bob@example.net"]
    assert b"\r\n.\r\nMAIL FROM" in got.content


def test_a_signature_survives(
    site: Site, next_hop: Dovecot, server: Smtp, dns: Dns, tmp_path: Path, other_dkim: Callable[..., str]
) -> None:
    write(site, next_hop)
    assert site.filter(Signer(tmp_path, dns).signed(AWKWARD, "simple/simple")).returncode == 0
    assert other_dkim(server.received[0].content, dns.port) == "pass"
