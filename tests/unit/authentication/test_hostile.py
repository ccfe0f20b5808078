"""What a stranger may put into a message and into his own zone to make it cost much, or to break what reads it."""

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from postroom import testing
from postroom.authentication import arc, canonical, keys
from postroom.authentication.bounds import Bounded
from postroom.authentication.examine import Came, examine
from postroom.authentication.keys import Refused
from postroom.authentication.signed import Signed
from postroom.message import parse
from postroom.transports.dns import Resolver
from servers.dns import Dns
from signing import Domain, ed25519, rsa

AUTHOR = Domain("example.org", rsa())
LIST = Domain("list.example", rsa())
SEALER = Domain("list.example", ed25519())
CAME = Came(address="203.0.113.9", helo="mail.example.org", sender="ann@example.org")


@contextmanager
def costing_little(seconds: float = 5) -> Iterator[None]:
    """Quadratic work would take minutes."""
    began = time.process_time()
    yield
    assert time.process_time() - began < seconds


@pytest.mark.parametrize(
    "text",
    [
        " ", ";", "=" * 4000, "v=DKIM1; " * 1500, "v=DMARC1;" + "p=reject;" * 1500, "v=spf1 " + "a " * 7000, "v=spf1 " + "%{s}" * 3000,
        "v=spf1 " + "include:example.org " * 500, "v=spf1 redirect=example.org", "v=spf1 exists:" + "%{s}" * 2000 + ".example.org -all",
        "v=DKIM1; p=" + "A" * 40_000, "v=DKIM1; k=rsa; p=" + "=" * 9000, "v=DKIM1; h=" + ":" * 15_000, "\\000\\255\\010" * 20, "v=spf1 ip4:" + "9" * 9000,
        "v=spf1 exp=" + "%{p}" * 2000 + ".example.org ptr -all", "v=DMARC1; p=none; pct=" + "9" * 9000, "v=DMARC1; sp=\\200; p=reject",
    ],
    ids=lambda text: f"{text[:24]!r} {len(text)}",
)  # fmt: skip
def test_whatever_a_zone_says_is_a_verdict(dns: Dns, resolver: Bounded, text: str) -> None:
    for name in (AUTHOR.at, LIST.at, "example.org", "_dmarc.example.org"):
        dns.text(name, text)
    view = testing.view(LIST.seal(AUTHOR.sign(testing.message())))
    with costing_little():
        found = examine(view, CAME, resolver.resolver)
    assert found.auth.dkim in ("permerror", "policy", "temperror")
    assert found.auth.spf in ("none", "neutral", "fail", "permerror", "temperror")
    assert found.auth.dmarc in ("none", "fail", "temperror")


def test_aliases_that_lead_in_a_circle_are_no_answer(dns: Dns, resolver: Bounded) -> None:
    dns.zone[AUTHOR.at] = {"CNAME": ["b.example.org."]}
    dns.zone["b.example.org"] = {"CNAME": [f"{AUTHOR.at}."]}
    found = examine(testing.view(AUTHOR.sign(testing.message())), CAME, resolver.resolver)
    assert found.auth.dkim == "temperror"


@pytest.mark.parametrize(("bits", "exponent"), [(3072, 3071), (8192, 64), (8192, 8000), (16_384, 17), (40_000, 39_999)])
def test_a_monstrous_key_costs_little(bits: int, exponent: int) -> None:
    numbers = RSAPublicNumbers(n=(1 << bits) - 1, e=(1 << exponent) - 1)
    raw = sequence(integer(numbers.n) + integer(numbers.e))
    record = f"p={base64.b64encode(raw).decode()}"
    with costing_little(1):
        if bits > keys.LONGEST:
            with pytest.raises(Refused, match="too long"):
                keys.read(record, "rsa-sha256")
        else:
            assert not keys.read(record, "rsa-sha256").signed(b"x", b"\x01" * (bits // 8))


def integer(value: int) -> bytes:
    octets = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return b"\x02" + length(octets) + octets


def sequence(octets: bytes) -> bytes:
    return b"\x30" + length(octets) + octets


def length(octets: bytes) -> bytes:
    size = len(octets)
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([size]) if size < 128 else bytes([0x80 | len(digits)]) + digits


def test_a_chain_as_long_and_fat_as_one_may_be_costs_little(dns: Dns, resolver: Bounded) -> None:
    dns.text(SEALER.at, SEALER.record)
    body, author = b"Hi\r\n", b"from:a@example.org\r\n"
    chain: list[bytes] = []
    for number in range(1, arc.HOPS + 1):
        results = b"ARC-Authentication-Results: i=%d; list.example; x=%b\r\n" % (number, b" x" * 7500)
        tags = {"v": "absent", "i": str(number)}
        message = SEALER.by_hand(tags, [author], body, "ARC-Message-Signature")
        told = f"i={number}; a=ed25519-sha256; cv={'pass' if number > 1 else 'none'}; d=list.example; s=s1; b="
        chain += [results, message]
        text = b"".join(canonical.header(field, "relaxed") for field in chain)
        seal = SEALER.signature(text + b"arc-seal:" + told.encode())
        chain.append(f"ARC-Seal: {told}{seal}\r\n".encode())
    raw = b"".join(reversed(chain)) + b"From: a@example.org\r\n\r\n" + body
    with costing_little(10):
        found = arc.verify(Signed(parse(raw), resolver), resolver)
    assert (found.result, found.reason) == ("pass", "50 hops")


def test_signatures_that_each_want_another_hash_of_a_large_body_are_bounded_in_time(dns: Dns) -> None:
    dns.text(AUTHOR.at, AUTHOR.record)
    field = b"".join(
        AUTHOR.by_hand({"l": str(size), "c": form}, [b"from:a@example.org\r\n"], b"x")
        for size, form in enumerate(["relaxed/simple", "relaxed/relaxed"] * 50)
    )
    raw = field + b"From: a@example.org\r\n\r\n" + b"x  y \t \r\n" * 1_000_000
    view = testing.view(raw)
    with costing_little(30):
        found = examine(view, CAME, Resolver(servers=dns.servers))
    assert len(found.dkim) == 8
    assert found.auth.dkim in ("fail", "temperror")


def test_slow_domains_of_a_stranger_do_not_hide_that_he_forged_the_author(dns: Dns) -> None:
    """Signatures of his own on top and an envelope of his, none of which is answered, take the time of nobody else."""
    dns.text(AUTHOR.at, AUTHOR.record)
    dns.text("_dmarc.example.org", "v=DMARC1; p=reject")
    slow = [Domain(f"slow{number}.example", rsa()) for number in range(7)]
    dns.faults = {name: "silent" for one in slow for name in (one.at, one.name)}
    own = AUTHOR.sign(testing.message()).replace(b"Hello.", b"Pay me.")
    top = b"".join(one.by_hand({}, [b"from:a@example.org\r\n"], b"x") for one in slow)
    came = Came(address="203.0.113.9", helo="x", sender="x@slow0.example")
    found = examine(testing.view(top + own), came, Resolver(servers=dns.servers, timeout=timedelta(seconds=1.5)))
    assert (found.auth.dmarc, found.auth.policy) == ("fail", "reject")
    assert [one.result for one in found.dkim][-1] == "fail"
    assert found.dkim[0].result == "temperror"
