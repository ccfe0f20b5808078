"""Seals of ours, as dkimpy and our own verification read them."""

import re
from datetime import UTC, datetime

import dkim
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from postroom import testing
from postroom.authentication import arc
from postroom.authentication.bounds import Bounded
from postroom.authentication.sealing import Sealer, read
from postroom.authentication.signed import Signed
from postroom.errors import Temporary
from postroom.message import parse
from postroom.pipeline.view import Auth
from servers.dns import Dns
from signing import Domain, ed25519, rsa

AUTHOR, LIST = Domain("example.org", rsa()), Domain("list.example", rsa())
OURS = Domain("ours.example", rsa(2048), "arc1")
CURVED = Domain("curved.example", ed25519())
NOW = datetime(2026, 3, 1, tzinfo=UTC)
FOUND = Auth(dkim="pass", spf="softfail", dmarc="pass", policy="reject")
AWKWARD = (
    b"Subject: a\n\tfolded   one \nFROM:  x@example.org\nTo: a\nTo: b\nX-Y: \xe9\n\n.\n trailing \t\n\xc3\xa4\r\n\n\n"
)
MESSAGES = {
    "signed": AUTHOR.sign(testing.message(subject="Grüße")),
    "awkward": AWKWARD,
    "no body": b"From: a@example.org\r\n\r\n",
    "many fields": testing.message(headers={"References": ["<a@b>"] * 30, "Reply-To": ["a@b"] * 30}),
}


@pytest.fixture(autouse=True)
def keys(dns: Dns) -> None:
    for domain in (AUTHOR, LIST, OURS, CURVED):
        dns.text(domain.at, domain.record)


def sealer(domain: Domain = OURS) -> Sealer:
    return Sealer(domain=domain.name, selector=domain.selector, key=domain.key, host="mx.ours.example")


def sealed(raw: bytes, resolver: Bounded, auth: Auth | None = FOUND, domain: Domain = OURS) -> bytes:
    message = parse(raw)
    return sealer(domain).sealed(message, message, auth, resolver, NOW) + raw


def theirs(raw: bytes) -> bytes:
    """What dkimpy says."""
    known = {f"{one.at}.".encode(): one.record.encode() for one in (AUTHOR, LIST, OURS)}
    wire = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    result, _, _ = dkim.arc_verify(wire, dnsfunc=lambda name, timeout=5: known.get(name))
    return bytes(result)


def ours(raw: bytes, resolver: Bounded) -> str:
    return arc.verify(Signed(parse(raw), resolver), resolver).result


@pytest.mark.parametrize("name", MESSAGES)
def test_a_seal_is_sound_and_breaks_with_the_message(resolver: Bounded, name: str) -> None:
    made = sealed(MESSAGES[name], resolver)
    assert (theirs(made), ours(made, resolver)) == (b"pass", "pass")
    changed = made.replace(b"example.org\r\n", b"example.com\r\n").replace(b"x@example.org", b"y@example.org")
    changed = changed if changed != made else made + b"more"
    assert (theirs(changed), ours(changed, resolver)) == (b"fail", "fail")


@pytest.mark.parametrize("part", [b"dkim=pass", b"cv=pass", b"t=17"])
def test_nothing_in_the_set_can_be_changed(resolver: Bounded, part: bytes) -> None:
    made = sealed(LIST.seal(MESSAGES["signed"]), resolver)
    at = made.index(part) + len(part) - 1
    changed = made[:at] + (b"9" if part == b"t=17" else b"t") + made[at + 1 :]
    assert ours(changed, resolver) == "fail"


@pytest.mark.parametrize("hops", [2, 5])
def test_a_chain_grows_and_stays_whole(resolver: Bounded, hops: int) -> None:
    raw = LIST.seal(MESSAGES["signed"])
    for _ in range(hops - 1):
        raw = sealed(raw, resolver)
    assert (theirs(raw), ours(raw, resolver)) == (b"pass", "pass")
    assert parse(raw).headers.occurrences("ARC-Seal") == hops


def test_others_seal_on_top_of_ours(resolver: Bounded) -> None:
    raw = LIST.seal(sealed(MESSAGES["signed"], resolver), "arc=pass")
    assert (theirs(raw), ours(raw, resolver)) == (b"pass", "pass")


def test_a_seal_may_be_of_ed25519(resolver: Bounded) -> None:
    assert ours(sealed(MESSAGES["signed"], resolver, domain=CURVED), resolver) == "pass"


def test_it_says_what_was_found(resolver: Bounded) -> None:
    said = parse(sealed(MESSAGES["signed"], resolver)).headers.get("ARC-Authentication-Results")
    assert " ".join((said or "").split()) == "i=1; mx.ours.example; spf=softfail; dkim=pass; dmarc=pass; arc=none"
    said = parse(sealed(MESSAGES["signed"], resolver, None)).headers.get("ARC-Authentication-Results")
    assert " ".join((said or "").split()) == "i=1; mx.ours.example; arc=none"


@pytest.mark.parametrize("break_", ["body", "gap", "fact"])
def test_a_broken_chain_gets_no_seal(resolver: Bounded, break_: str) -> None:
    raw = LIST.seal(MESSAGES["signed"])
    auth = Auth(arc="fail") if break_ == "fact" else None
    if break_ == "body":
        raw += b"more"
    elif break_ == "gap":
        raw = re.sub(rb"(?i)^(arc-seal:) i=1", rb"\1 i=2", raw, flags=re.MULTILINE)
    assert sealed(raw, resolver, auth) == raw


def test_a_chain_that_was_whole_before_steps_changed_the_message_is_sealed(resolver: Bounded) -> None:
    raw = LIST.seal(MESSAGES["signed"]).replace(b"Hello.", b"Hallo.")
    made = sealed(raw, resolver, Auth(arc="pass"))
    assert (theirs(made), ours(made, resolver)) == (b"pass", "pass")


def test_where_the_dns_does_not_say_the_message_waits(resolver: Bounded, dns: Dns) -> None:
    dns.faults[LIST.at] = "servfail"
    with pytest.raises(Temporary):
        sealed(LIST.seal(MESSAGES["signed"]), resolver)


def test_no_line_is_longer_than_it_should_be(resolver: Bounded) -> None:
    made = sealed(MESSAGES["many fields"], resolver).removesuffix(MESSAGES["many fields"])
    assert max(map(len, made.split(b"\r\n"))) <= 100


@pytest.mark.parametrize("key", [rsa(), ed25519()], ids=["RSA", "Ed25519"])
def test_a_key_is_read_as_openssl_writes_it(key: object) -> None:
    domain = Domain("x.example", key)  # type: ignore[arg-type]  # one of both
    pem = domain.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert read(pem).public_key() == domain.key.public_key()


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused(pem: bytes) -> None:
    with pytest.raises(ValueError, match="private key"):
        read(pem)
