"""Signatures of senders survive a redirect, as another implementation than ours says (SEMANTICS 17; 11 of the second list)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from servers.dns import Dns
from servers.signer import Signer
from servers.smtp import Smtp
from wire.outgoing.conftest import MESSAGE, Site

AWKWARD = (
    b"From: Jane <jane@home.example>\r\nTo: you@home.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\tfolded  twice \r\n"
    b"Date: Sun, 01 Mar 2026 12:00:00 +0000\r\nMessage-ID: <sunday@home.example>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b".\r\n..dots\r\n\xc3\xa4 trailing  \r\n\r\n\r\n"
)


@pytest.mark.parametrize("message", [MESSAGE, AWKWARD], ids=["plain", "awkward"])
@pytest.mark.parametrize("canonicalization", ["simple/simple", "relaxed/relaxed"])
@pytest.mark.parametrize("options", [{}, {"resent": True}], ids=["plain", "resent"])
def test_a_signature_survives_a_redirect(
    site: Site,
    server: Smtp,
    dns: Dns,
    tmp_path: Path,
    other_dkim: Callable[..., str],
    message: bytes,
    canonicalization: str,
    options: dict[str, bool],
) -> None:
    signed = b"Return-Path: <jane@home.example>\r\n" + Signer(tmp_path, dns).signed(message, canonicalization)
    site.write(server.port, [{"forward": {"to": "bob@example.net", **options}}])
    assert site.filter(signed).returncode == 0
    assert other_dkim(server.received[0].content, dns.port) == "pass"
    assert other_dkim(server.received[0].content.replace(b"Sun", b"Mon"), dns.port) == "fail"


def test_a_signature_survives_inside_a_message_of_ours(
    site: Site, server: Smtp, dns: Dns, tmp_path: Path, other_dkim: Callable[..., str]
) -> None:
    signed = Signer(tmp_path, dns).signed(MESSAGE)
    site.write(server.port, [{"forward": {"to": "bob@example.net", "mode": "attach"}}])
    assert site.filter(signed).returncode == 0
    attached = server.received[0].content.partition(b"7bit\r\n\r\nDKIM")[2]
    inner = b"DKIM" + attached.rpartition(b"\r\n--=_")[0]
    assert other_dkim(inner, dns.port) == "pass"


@pytest.mark.parametrize("signs", [True, False], ids=["signed", "unsigned"])
def test_only_what_would_be_refused_is_attached(
    site: Site, server: Smtp, dns: Dns, tmp_path: Path, *, signs: bool
) -> None:
    dns.text("_dmarc.home.example", "v=DMARC1; p=reject")
    signer = Signer(tmp_path, dns)
    site.write(server.port, [{"forward": "bob@example.net"}])
    assert site.filter(signer.signed(MESSAGE) if signs else MESSAGE).returncode == 0
    content = server.received[0].content
    assert (b"\r\nFrom: robot@test.example\r\n" in content) != signs
    assert b"\r\nFrom: Jane <jane@home.example>\r\n" in content
    if not signs:
        (tmp_path / "one.eml").write_bytes(MESSAGE)
        explained = site.run("explain", str(tmp_path / "one.eml")).stdout.decode()
        assert "asks for reject (DMARC)" in explained


def test_a_chain_of_ours_is_whole(
    site: Site, server: Smtp, dns: Dns, tmp_path: Path, other_dkim: Callable[..., str]
) -> None:
    ours, signed = Signer(tmp_path, dns, "test.example"), Signer(tmp_path, dns).signed(AWKWARD)
    arc = {"domain": ours.domain, "selector": "s1", "key-file": str(ours.key)}
    content = signed
    for hops in (1, 2):
        to = f"hop{hops}@example.net"
        site.write(server.port, [{"authenticate": "dns"}, {"forward": {"to": to, "arc": True}}], arc=arc)
        assert site.filter(content).returncode == 0
        content = server.received[-1].content
        assert other_dkim(content, dns.port, arc=True) == "pass"
        assert content.count(b"ARC-Seal:") == hops
    assert other_dkim(content, dns.port) == "pass"
    assert other_dkim(content.replace(b"..dots", b"..spots"), dns.port, arc=True) == "fail"
