import re

import pytest

from postroom import testing
from postroom.authentication import arc
from postroom.authentication.bounds import Bounded
from postroom.authentication.signed import Signed
from postroom.authentication.verdict import Verdict
from postroom.message import parse
from servers.dns import Dns
from signing import Domain, ed25519, rsa

AUTHOR = Domain("example.org", rsa())
HOPS = (Domain("list.example", rsa()), Domain("forward.example", rsa(2048)), Domain("third.example", rsa()))


def verdict(raw: bytes, resolver: Bounded) -> Verdict:
    return arc.verify(Signed(parse(raw), resolver), resolver)


def sealed(hops: int) -> bytes:
    """A letter that went over these hops, each of which put its own field on top."""
    raw = AUTHOR.sign(testing.message())
    for number, hop in enumerate(HOPS[:hops]):
        raw = hop.seal(raw, "arc=pass" if number else "dkim=pass")
    return raw


@pytest.fixture(autouse=True)
def keys(dns: Dns) -> None:
    for domain in (AUTHOR, *HOPS):
        dns.text(domain.at, domain.record)


def test_without_a_chain_there_is_none(resolver: Bounded) -> None:
    assert verdict(AUTHOR.sign(testing.message()), resolver) == Verdict("none", "there is no chain")


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_a_whole_chain_passes_for_its_last_sealer(resolver: Bounded, hops: int) -> None:
    found = verdict(sealed(hops), resolver)
    assert (found.result, found.domain) == ("pass", HOPS[hops - 1].name)


def test_line_feeds_alone_do_not_break_it(resolver: Bounded) -> None:
    assert verdict(sealed(2).replace(b"\r\n", b"\n"), resolver).result == "pass"


def test_fields_put_on_top_do_not_break_it(resolver: Bounded) -> None:
    assert verdict(b"Received: x\r\nX-New: 1\r\n" + sealed(3), resolver).result == "pass"


def field(raw: bytes, name: str, number: int) -> bytes:
    """One field of a chain, as it stands."""
    found = re.search(rb"(?im)^%b: i=%d;.*\r\n(?:[ \t].*\r\n)*" % (name.encode(), number), raw)
    assert found is not None
    return found[0]


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("name", ["ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"])
def test_each_field_of_each_hop_is_needed_once(resolver: Bounded, name: str, number: int) -> None:
    raw = sealed(3)
    one = field(raw, name, number)
    assert verdict(raw.replace(one, b""), resolver).result == "fail"
    assert "twice" in verdict(one + raw, resolver).reason


@pytest.mark.parametrize("number", [1, 2, 3])
def test_results_that_were_changed_break_every_seal_above(resolver: Bounded, number: int) -> None:
    raw = sealed(3)
    one = field(raw, "ARC-Authentication-Results", number)
    found = verdict(raw.replace(one, one.replace(b"pass", b"fail", 1)), resolver)
    assert found == Verdict("fail", "hop 3: the seal is not of this chain and key")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_seal_that_was_changed_breaks_it(resolver: Bounded, number: int) -> None:
    raw = sealed(3)
    one = field(raw, "ARC-Seal", number)
    assert verdict(raw.replace(one, one.replace(b" t=", b" t=1")), resolver).result == "fail"


def test_the_seal_at_fault_is_told(resolver: Bounded, dns: Dns) -> None:
    """The first hop's key is another by now: all above it are sound."""
    dns.zone[HOPS[0].at] = {}
    dns.text(HOPS[0].at, Domain("x.example", rsa(2048)).record)
    assert verdict(sealed(3), resolver) == Verdict("fail", "hop 1: the seal is not of this chain and key")


def test_a_body_that_was_changed_after_the_last_hop_breaks_it(resolver: Bounded) -> None:
    assert verdict(sealed(2) + b"footer\r\n", resolver) == Verdict("fail", "hop 2: the body was changed")


def test_a_body_that_was_changed_before_the_last_hop_does_not(resolver: Bounded) -> None:
    raw = HOPS[1].seal(sealed(1) + b"footer of the list\r\n", "arc=pass")
    assert verdict(raw, resolver).result == "pass"


@pytest.mark.parametrize(
    ("number", "said", "reason"),
    [
        (1, b"cv=pass", "hop 1: cv= cannot be so here"),
        (1, b"cv=fail", "hop 1: the sealer found the chain broken"),
        (2, b"cv=none", "hop 2: cv= cannot be so here"),
        (2, b"cv=fail", "hop 2: the sealer found the chain broken"),
        (2, b"cv=maybe", "hop 2: cv= cannot be so here"),
        (2, b"cv=pass; h=from", "hop 2: a seal has h="),
    ],
    ids=str,
)
def test_what_a_sealer_says_of_the_chain_is_held_to_its_place(
    resolver: Bounded, number: int, said: bytes, reason: str
) -> None:
    raw = sealed(2)
    one = field(raw, "ARC-Seal", number)
    assert verdict(raw.replace(one, re.sub(rb"cv=\w+", said, one)), resolver) == Verdict("fail", reason)


def test_a_gap_breaks_it(resolver: Bounded) -> None:
    raw = sealed(3)
    for name in arc.FIELDS:
        raw = raw.replace(field(raw, name, 2), b"")
    assert verdict(raw, resolver) == Verdict("fail", "the chain has a gap")


@pytest.mark.parametrize(
    "fields",
    [
        b"ARC-Seal: x\r\n", b"ARC-Seal: a=b\r\n", b"ARC-Seal: i=0; cv=none\r\n", b"ARC-Seal: i=" + b"9" * 5000 + b"\r\n",
        b"ARC-Authentication-Results: i=1\r\n", b"ARC-Message-Signature: " + b"i=1; " * 4000 + b"\r\n", b"ARC-Seal: i=1; cv=none\r\n" * 60,
    ],
    ids=["no tags", "no number", "number zero", "a long number", "no end of the number", "twice and long", "too many"],
)  # fmt: skip
def test_what_is_no_chain_fails(resolver: Bounded, fields: bytes) -> None:
    assert verdict(fields + testing.message(), resolver).result == "fail"


def test_a_signature_over_seals_is_none(resolver: Bounded) -> None:
    raw = sealed(1)
    one = field(raw, "ARC-Message-Signature", 1)
    found = verdict(raw.replace(one, one.replace(b" h=", b" h=arc-seal:")), resolver)
    assert found == Verdict("fail", "hop 1: the message's signature covers seals")


@pytest.mark.parametrize("fault", ["silent", "servfail"])
def test_where_the_dns_does_not_answer_a_later_try_may_tell(dns: Dns, impatient: Bounded, fault: str) -> None:
    raw = sealed(2)
    dns.faults[HOPS[0].at] = fault  # type: ignore[assignment]  # of the parameters above
    found = verdict(raw, impatient)
    assert (found.result, found.reason[:6]) == ("temperror", "hop 1:")


def test_a_revoked_key_of_an_early_hop_breaks_it(dns: Dns, resolver: Bounded) -> None:
    raw = sealed(2)
    dns.zone[HOPS[0].at] = {"TXT": ['"v=DKIM1; p="']}
    assert verdict(raw, resolver) == Verdict("fail", "hop 1: the key was revoked")


def test_a_chain_of_ed25519_passes(dns: Dns, resolver: Bounded) -> None:
    """RFC 8617 leaves algorithms to DKIM; dkimpy seals with RSA alone, so the seal is made by hand."""
    hop = Domain("ed.example", ed25519())
    dns.text(hop.at, hop.record)
    results = b"arc-authentication-results:i=1; ed.example; arc=none\r\n"
    message = hop.by_hand({"v": "absent", "i": "1"}, [b"from:a@example.org\r\n"], b"Hi\r\n", "ARC-Message-Signature")
    seal = f"arc-seal:i=1; a=ed25519-sha256; cv=none; d={hop.name}; s={hop.selector}; b="
    signed = results + b"arc-message-signature:" + message.partition(b": ")[2] + seal.encode()
    raw = f"{seal}{hop.signature(signed)}\r\n".encode() + message + results + b"From: a@example.org\r\n\r\nHi\r\n"
    assert verdict(raw, resolver).result == "pass"
