"""Dovecot as the next hop: `forward` over LMTP into the mailboxes of its users."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from servers import dovecot as dovecots
from servers.dns import Dns
from servers.dovecot import Dovecot
from servers.signer import Signer
from wire.outgoing.conftest import MESSAGE, Site
from wire.outgoing.test_dkim import AWKWARD

WAYS = ["TCP", "a socket"]


@pytest.fixture
def next_hop(dovecot: Dovecot) -> Dovecot:
    if not dovecots.has_lmtp():
        pytest.skip("LMTP of Dovecot is missing: apt-get install dovecot-lmtpd")
    return dovecot


def write(site: Site, server: Dovecot, way: str, *to: str) -> None:
    relay = {"url": f"lmtp://127.0.0.1:{server.lmtp}", "tls": "off"}
    if way == "a socket":
        relay = {"url": f"lmtp+unix:{server.home}/run/lmtp"}
    site.write(0, [{"forward": {"to": list(to), "on-dmarc-fail": "send"}}, "discard"], servers={"relay": relay})


def inbox(server: Dovecot, user: str) -> list[bytes]:
    with server.client(user) as client:
        _, found = client.fetch("1:*", "(BODY.PEEK[])")
    return [part[1] for part in found if isinstance(part, tuple)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("message", [MESSAGE, AWKWARD], ids=["plain", "awkward"])
def test_a_message_arrives_as_it_is_below_what_servers_write(
    site: Site, next_hop: Dovecot, user: str, way: str, message: bytes
) -> None:
    write(site, next_hop, way, f"{user}@example.com")
    assert site.filter(message).returncode == 0
    [got] = inbox(next_hop, user)
    assert got.startswith(b"Return-Path: <jane@home.example>\r\nDelivered-To: %s@example.com\r\n" % user.encode())
    assert b"by test.example (Postroom) id " in got
    assert got.endswith(message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    assert site.kept == 0


def test_dovecots_id_of_the_message_is_kept(site: Site, next_hop: Dovecot, user: str) -> None:
    write(site, next_hop, "TCP", f"{user}@example.com")
    assert site.filter().returncode == 0
    assert re.search(r"done \(it is [A-Za-z0-9+/]{22} there\)", site.shown())


def test_an_unknown_recipient_costs_only_itself(site: Site, next_hop: Dovecot, user: str) -> None:
    write(site, next_hop, "TCP", f"{user}@example.com", "no$body@example.com")
    assert site.filter().returncode == 0
    assert len(inbox(next_hop, user)) == 1
    assert "550 5.1.1" in site.shown()
    assert site.kept == 1


@pytest.mark.parametrize("ending", [b"\n.\n", b"\r.\r", b"\r\n.\r", b"\n.\r\n", b"\r\n.\n"], ids=repr)
def test_no_variant_of_the_final_dot_smuggles_a_message(
    site: Site, next_hop: Dovecot, user: str, ending: bytes
) -> None:
    write(site, next_hop, "TCP", f"{user}@example.com")
    smuggled = b"MAIL FROM:<eve@evil.example>\r\nRCPT TO:<%s@example.com>\r\nDATA\r\n" % user.encode()
    assert site.filter(MESSAGE + b"before" + ending + smuggled + b"Subject: smuggled\r\n\r\nx\r\n").returncode == 0
    [got] = inbox(next_hop, user)
    assert got.count(b"Subject: smuggled") == 1
    assert b"\r\n.\r\nMAIL FROM" in got


def test_a_signature_survives(
    site: Site, next_hop: Dovecot, user: str, dns: Dns, tmp_path: Path, other_dkim: Callable[..., str]
) -> None:
    write(site, next_hop, "TCP", f"{user}@example.com")
    assert site.filter(Signer(tmp_path, dns).signed(AWKWARD, "simple/simple")).returncode == 0
    [got] = inbox(next_hop, user)
    assert other_dkim(got, dns.port) == "pass"
