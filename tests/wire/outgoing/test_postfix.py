"""A redirect through a whole Postfix: what it hands on is still what the author signed and what we sealed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from servers import postfix
from servers.authority import Authority
from servers.dns import Dns
from servers.signer import Signer
from servers.smtp import Received, Smtp
from waiting import until
from wire.outgoing.conftest import MESSAGE, Site
from wire.outgoing.test_dkim import AWKWARD


@pytest.fixture
def next_port(server: Smtp) -> Iterator[int]:
    if not postfix.is_installed():
        pytest.skip("needs root and Postfix: apt-get install postfix")
    with postfix.relaying(server.port) as port:
        yield port


def handed_on(server: Smtp) -> list[Received]:
    """What came out of it."""
    until(lambda: server.received)
    return server.received


@pytest.mark.parametrize("message", [MESSAGE, AWKWARD], ids=["plain", "awkward"])
@pytest.mark.parametrize("canonicalization", ["simple/simple", "relaxed/relaxed"])
def test_signatures_and_seals_survive_a_redirect_through_postfix(
    site: Site,
    server: Smtp,
    next_port: int,
    dns: Dns,
    tmp_path: Path,
    other_dkim: Callable[..., str],
    message: bytes,
    canonicalization: str,
) -> None:
    dns.text("_dmarc.home.example", "v=DMARC1; p=reject")
    ours = Signer(tmp_path, dns, "test.example")
    signed = Signer(tmp_path, dns).signed(message, canonicalization)
    forward = {"to": "bob@example.net", "arc": True}
    arc = {"domain": ours.domain, "selector": "s1", "key-file": str(ours.key)}
    site.write(next_port, [{"authenticate": "dns"}, {"forward": forward}], arc=arc)
    assert site.filter(signed).returncode == 0
    [got] = handed_on(server)
    assert (got.sender, got.recipients) == ("jane@home.example", ["bob@example.net"])
    assert b"by next.example (Postfix)" in got.content
    assert other_dkim(got.content, dns.port) == "pass"
    assert other_dkim(got.content, dns.port, arc=True) == "pass"


def test_a_postfix_that_takes_mail_over_tls_only_is_verified(site: Site, server: Smtp, tmp_path: Path) -> None:
    if not postfix.is_installed():
        pytest.skip("needs root and Postfix: apt-get install postfix")
    authority = Authority(tmp_path)
    with postfix.relaying(server.port, certificate=authority.certificate("localhost")) as port:
        # With an authority that the system does not know, and then with the right one under another name.
        for url, ca in (("localhost", None), ("127.0.0.1", authority.file)):
            write(site, f"smtp://{url}:{port}", ca)
            assert site.filter().returncode == 75
            assert "certificate is not trusted" in site.shown()
        write(site, f"smtp://localhost:{port}", authority.file)
        assert site.run("replay", "1").returncode == 0
        [got] = handed_on(server)
    assert b"by next.example (Postfix) with ESMTPS id" in got.content


def write(site: Site, url: str, ca: Path | None) -> None:
    relay = {"url": url} | ({"tls-ca": str(ca)} if ca else {})
    site.write(0, [{"forward": "bob@example.net"}, "discard"], servers={"relay": relay})
