"""`authenticate: dns` from the settings to the folder, against a DNS server on loopback."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from acceptance.conftest import Site
from postroom import testing
from postroom.app import open_site
from postroom.ledger import Lease, Owner
from postroom.ledger.rows import Arrival, Batch, Recorded
from postroom.pipeline.plan import Plan
from servers.dns import Dns, serving
from signing import Domain, rsa

AUTHOR = Domain("example.org", rsa())
HONEST = AUTHOR.sign(testing.message(message_id="<honest@example.org>"))
FORGED = HONEST.replace(b"Hello.", b"Pay me.").replace(b"<honest@", b"<forged@")
SEEN = b"Received: from mail.example.org ([203.0.113.9]) by mx.example.com with ESMTP; x\r\n"
PIPELINE = """\
name: main
rules:
  - {name: who, do: {authenticate: dns}}
  - {name: forged, when: {auth: {dmarc: fail, policy: reject}}, do: {move: Junk}}
"""


@pytest.fixture
def dns(site: Site) -> Iterator[Dns]:
    with serving() as server:
        server.text(AUTHOR.at, AUTHOR.record)
        server.text("_dmarc.example.org", "v=DMARC1; p=reject")
        server.text("example.org", "v=spf1 ip4:203.0.113.9 -all")
        settings = site.root / "postroom.yaml"
        line = f'resolver: {{servers: ["127.0.0.1:{server.port}"], timeout: 20s}}\ntrust: {{hosts: [mx.example.com]}}\n'
        settings.write_text(settings.read_text() + line)
        site.pipeline(PIPELINE)
        yield server


def test_a_forged_message_goes_where_the_rules_say_and_an_honest_one_does_not(site: Site, dns: Dns) -> None:
    assert [site.filter(raw).returncode for raw in (HONEST, FORGED)] == [0, 0]
    assert [b"<honest@" in path.read_bytes() for path in site.mail()] == [True]
    assert [b"<forged@" in path.read_bytes() for path in site.mail("Junk")] == [True]


def test_explain_tells_each_result_with_its_reason(site: Site, dns: Dns) -> None:
    (site.root / "forged.eml").write_bytes(SEEN.replace(b"203.0.113.9", b"198.51.100.1") + FORGED)
    done = site.run("explain", "--sender", "ann@example.org", "forged.eml")
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stdout.decode().split())
    for said in ("spf: fail (by `all`)", "dmarc: fail (neither SPF nor DKIM passed for the domain)", "arc: none"):
        assert said in told


def test_where_the_resolver_is_away_the_carrier_is_asked_to_come_again(site: Site, dns: Dns) -> None:
    dns.faults = dict.fromkeys([AUTHOR.at, "_dmarc.example.org", "example.org"], "silent")
    settings = site.root / "postroom.yaml"
    port = dns.port
    settings.write_text(settings.read_text().replace(f":{port}", ":1").replace("timeout: 20s", "timeout: 200ms"))
    assert site.filter(HONEST).returncode == 75
    assert site.everything() == []
    settings.write_text(settings.read_text().replace(':1"', f':{port}"').replace("timeout: 200ms", "timeout: 20s"))
    dns.faults = {}
    assert site.filter(HONEST).returncode == 0
    assert len(site.mail()) == 1


def planned(root: Path, prefix: bytes, content: bytes) -> Plan:
    """What the worker plans for a message that our listener took with this prefix."""
    with open_site(root / "postroom.yaml", mailbox=None, pipeline=None, passes=False) as made:
        arrival = Arrival(
            source_key=str(len(prefix)), pipeline="main", received=testing.NOW, content=content, sender="ann@example.org",
            recipients=("bob@example.com",), store=str(made.mailbox.store), message_id=None, prefix=prefix,
        )  # fmt: skip
        [recorded] = made.ledger.record(
            made.name, Batch(arrivals=(arrival,)), lease=Lease(Owner.current(), timedelta(hours=1))
        )
        assert isinstance(recorded, Recorded)
        assert recorded.claim is not None
        plan = made.worker.process(recorded.claim, made.home, settle=True).plan
        assert plan is not None
        return plan


@pytest.mark.parametrize(("address", "result"), [(b"203.0.113.9", "pass"), (b"198.51.100.1", "fail")])
def test_the_client_that_our_listener_saw_is_asked_about(site: Site, dns: Dns, address: bytes, result: str) -> None:
    prefix = (
        b"Return-Path: <ann@example.org>\r\nReceived: from mail.example.org ([%b])\r\n\tby x with LMTP id 1;\r\n\tx\r\n"
        % address
    )
    plan = planned(site.root, prefix, testing.message())
    assert plan.facts.auth is not None
    assert plan.facts.auth.spf == result
