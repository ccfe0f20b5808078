import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as some

from postroom import testing
from postroom.authentication import dkim
from postroom.authentication.bounds import Bounded
from postroom.authentication.signed import Signed
from postroom.authentication.verdict import Verdict
from postroom.message import parse
from postroom.transports.dns import Resolver
from servers.dns import Dns
from signing import Domain, ed25519, rsa

AT = datetime(2026, 3, 1, tzinfo=UTC)
MESSAGES = Path(__file__).parent / "messages"
RSA, ED25519 = Domain("example.org", rsa()), Domain("example.org", ed25519(), "ed")
LETTER = testing.message(text="Hello  world \n\n\tand more\n\n\n")
# RFC 8463 appendix A: the message, and the records of both keys.
RFC8463 = """\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
"""
FOOTBALL = {
    "brisbane": "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "test": "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/by"
    "YzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
}


def verdicts(raw: bytes, resolver: Bounded, at: datetime = AT) -> list[Verdict]:
    return [one for _, one in dkim.verify(Signed(parse(raw), resolver), resolver, at)]


def told(raw: bytes, resolver: Bounded) -> tuple[str, str]:
    """The one verdict, in words."""
    (found,) = verdicts(raw, resolver)
    return found.result, found.reason


@pytest.fixture(autouse=True)
def keys(dns: Dns) -> None:
    for domain in (RSA, ED25519):
        dns.text(domain.at, domain.record)
    for selector, record in FOOTBALL.items():
        dns.text(f"{selector}._domainkey.football.example.com", record)


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_the_example_of_rfc_8463_passes(resolver: Bounded, ends: str) -> None:
    found = verdicts(RFC8463.replace("\n", ends).encode(), resolver)
    assert found == [
        Verdict("pass", "ed25519-sha256, 256 bits", "football.example.com"),
        Verdict("pass", "rsa-sha256, 1024 bits", "football.example.com"),
    ]


@pytest.mark.parametrize("name", ["rfc6376.signed.msg", "rfc6376.signed.rsa.msg"])
def test_signed_messages_of_dkimpy_pass(resolver: Bounded, name: str) -> None:
    found = verdicts((MESSAGES / name).read_bytes(), resolver)
    assert {one.result for one in found} == {"pass"}


def test_a_signature_whose_tags_were_changed_fails(resolver: Bounded) -> None:
    assert told((MESSAGES / "rfc6376.signed.no_t.msg").read_bytes(), resolver)[0] == "fail"


@pytest.mark.parametrize("domain", [RSA, ED25519], ids=["RSA", "Ed25519"])
@pytest.mark.parametrize("forms", ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"])
@pytest.mark.parametrize("letter", [LETTER, (MESSAGES / "test.message").read_bytes()], ids=["ours", "dkimpy's"])
def test_what_dkimpy_signs_passes(resolver: Bounded, domain: Domain, forms: str, letter: bytes) -> None:
    assert told(domain.sign(letter, forms), resolver)[0] == "pass"


@pytest.mark.parametrize(
    "body",
    [b"", b"\r\n", b"\r\n\r\n\r\n", b"a", b"a\r\n", b" \r\n\t\r\n", b"a  b\t\r\n\r\n \r\n", b"\r\n\r\na\r\n", b"a \t \r\nb", b"x" * 3_000_000 + b"\r\n\r\n"],
    ids=["empty", "a line", "empty lines", "no end", "one line", "blanks", "blanks and lines", "lines in front", "blanks at the end", "long line"],
)  # fmt: skip
@pytest.mark.parametrize("forms", ["simple/simple", "relaxed/relaxed"])
def test_any_body_is_hashed_as_dkimpy_does(resolver: Bounded, body: bytes, forms: str) -> None:
    letter = LETTER.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body
    assert told(RSA.sign(letter, forms), resolver) == ("pass", "rsa-sha256, 1024 bits")


@pytest.mark.parametrize(
    ("before", "after", "result"),
    [
        pytest.param(b"Hello.", b"Hullo.", ("fail", "the body was changed"), id="the body"),
        pytest.param(b"Subject: Hello", b"Subject: Hullo", ("fail", "the signature is not of this header and key"), id="a field"),
        pytest.param(b"Subject: Hello\r\n", b"", ("fail", "the signature is not of this header and key"), id="a field is gone"),
        pytest.param(b"Subject: Hello", b"X-New: 1\r\nSubject: Hello", ("pass", "rsa-sha256, 1024 bits"), id="a field that is not signed"),
        pytest.param(b"Subject: Hello", b"Subject:\r\n   Hello", ("pass", "rsa-sha256, 1024 bits"), id="folding"),
        pytest.param(b"Subject: Hello", b"Subject: Other\r\nSubject: Hello", ("pass", "rsa-sha256, 1024 bits"), id="the lowest of a name counts"),
        pytest.param(b"Subject: Hello", b"Subject: Hello\r\nSubject: Other", ("fail", "the signature is not of this header and key"), id="another below"),
    ],
)  # fmt: skip
def test_a_change_shows(resolver: Bounded, before: bytes, after: bytes, result: tuple[str, str]) -> None:
    signed = RSA.sign(testing.message())
    assert before in signed
    assert told(signed.replace(before, after), resolver) == result


FROM, BODY = b"from:a@example.org\r\n", b"Hello\r\n"
SHORT = b"From: a@example.org\r\n\r\nHello\r\n"


@pytest.mark.parametrize(
    ("tags", "result"),
    [
        pytest.param({}, "pass", id="as it should be"),
        pytest.param({"i": "joe@mail.example.org"}, "pass", id="for a domain below"),
        pytest.param({"i": "joe@example.com"}, "permerror", id="for another domain"),
        pytest.param({"x": f"{AT.timestamp() + 1:.0f}"}, "pass", id="ends later"),
        pytest.param({"x": f"{AT.timestamp() - 1:.0f}"}, "policy", id="has expired"),
        pytest.param({"t": "9", "x": "8"}, "permerror", id="ends before it begins"),
        pytest.param({"x": "never"}, "permerror", id="ends at no time"),
        pytest.param({"v": "2"}, "permerror", id="version"),
        pytest.param({"v": "absent"}, "permerror", id="no version"),
        pytest.param({"a": "rsa-sha1"}, "policy", id="SHA-1"),
        pytest.param({"a": "dsa-sha256"}, "permerror", id="unknown algorithm"),
        pytest.param({"c": "relaxed/nowsp"}, "permerror", id="unknown form"),
        pytest.param({"h": "subject"}, "permerror", id="without From"),
        pytest.param({"h": "from:"}, "permerror", id="an empty name"),
        pytest.param({"h": "from" + ":x" * 300}, "permerror", id="too many names"),
        pytest.param({"h": "from:x-none:from"}, "pass", id="names of absent fields"),
        pytest.param({"q": "finger"}, "permerror", id="unknown query"),
        pytest.param({"bh": "?"}, "permerror", id="no base64"),
        pytest.param({"bh": "absent"}, "fail", id="no hash"),
        pytest.param({"d": "absent"}, "permerror", id="no domain"),
        pytest.param({"d": "a b"}, "permerror", id="no name of a domain"),
        pytest.param({"s": "none"}, "permerror", id="no such key"),
        pytest.param({"l": "7"}, "pass", id="l= of all"),
        pytest.param({"l": "8"}, "fail", id="l= of more than there is"),
        pytest.param({"l": "-1"}, "permerror", id="l= is no number"),
        pytest.param({"x-more": "1"}, "permerror", id="a name with a hyphen"),
        pytest.param({"zz": "1"}, "pass", id="an unknown tag"),
    ],
)  # fmt: skip
def test_every_tag_is_held_to_its_meaning(resolver: Bounded, tags: dict[str, str], result: str) -> None:
    assert told(RSA.by_hand(tags, [FROM], BODY) + SHORT, resolver)[0] == result


def test_a_body_that_goes_on_behind_what_was_signed_does_not_pass(resolver: Bounded) -> None:
    signed = RSA.sign(LETTER, length=True)
    assert told(signed, resolver) == ("pass", "rsa-sha256, 1024 bits, l= of all")
    assert told(signed + b"Buy this\r\n", resolver) == ("policy", "part of the body is not signed (l=)")


def test_a_tag_that_stands_twice_makes_it_void(resolver: Bounded) -> None:
    raw = RSA.by_hand({}, [FROM], BODY).replace(b"; b=", b"; d=example.org; b=") + SHORT
    assert told(raw, resolver) == ("permerror", "a tag stands twice")


BARE = base64.b64encode(rsa().public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)).decode()
PUBLIC = RSA.record.partition("p=")[2]


@pytest.mark.parametrize(
    ("record", "result"),
    [
        pytest.param(f"p={PUBLIC}", "pass", id="nothing but the key"),
        pytest.param(f"p={BARE}", "pass", id="a bare key"),
        pytest.param(f"v=DKIM1; t=s; p={PUBLIC}", "pass", id="exact"),
        pytest.param(f"k=rsa; h=sha1:sha256; s=email; n=note; p={PUBLIC}", "pass", id="all tags"),
        pytest.param("v=DKIM1; p=", "permerror", id="revoked"),
        pytest.param("v=DKIM1", "permerror", id="no key"),
        pytest.param(f"v=DKIM2; p={PUBLIC}", "permerror", id="version"),
        pytest.param(f"p={PUBLIC}; v=DKIM1", "permerror", id="version at the end"),
        pytest.param(f"k=ed25519; p={PUBLIC}", "permerror", id="of another kind"),
        pytest.param(f"h=sha1; p={PUBLIC}", "permerror", id="of another hash"),
        pytest.param(f"s=tlsrpt; p={PUBLIC}", "permerror", id="for something else"),
        pytest.param("p=!!!", "permerror", id="no base64"),
        pytest.param(f"p={'A' * 300}", "permerror", id="no key in it"),
        pytest.param(f"p={PUBLIC[:80]}", "policy", id="cut"),
        pytest.param(Domain("x.example", rsa(2048)).record, "fail", id="another's"),
    ],
)  # fmt: skip
def test_a_record_is_held_to_what_it_says(dns: Dns, resolver: Bounded, record: str, result: str) -> None:
    dns.zone[RSA.at] = {}
    dns.text(RSA.at, record)
    assert told(RSA.by_hand({}, [FROM], BODY) + SHORT, resolver)[0] == result


def test_a_key_below_1024_bits_is_not_accepted(dns: Dns, resolver: Bounded) -> None:
    """512 bits, of dkimpy's tests: OpenSSL would not make one any more."""
    short = "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBANmBe10IgY+u7h3enWTukkqtUD5PR52Tb/mPfjC0QJTocVBq6Za/PlzfV+Py92VaCak19F4WrbVTK5Gg5tW220MCAwEAAQ=="
    dns.zone[RSA.at] = {}
    dns.text(RSA.at, f"k=rsa; p={short}")
    assert told(RSA.by_hand({}, [FROM], BODY) + SHORT, resolver) == ("policy", "the key is too short")


def test_a_key_that_is_exact_does_not_sign_for_domains_below(dns: Dns, resolver: Bounded) -> None:
    dns.zone[RSA.at] = {}
    dns.text(RSA.at, f"t=s; p={PUBLIC}")
    assert told(RSA.by_hand({"i": "@mail.example.org"}, [FROM], BODY) + SHORT, resolver)[0] == "permerror"


def test_failures_of_a_domain_that_is_testing_count_for_nothing(dns: Dns, resolver: Bounded) -> None:
    dns.zone[RSA.at] = {}
    dns.text(RSA.at, f"t=y; p={PUBLIC}")
    assert told(RSA.by_hand({}, [FROM], BODY) + SHORT + b"more", resolver)[0] == "neutral"
    assert told(RSA.by_hand({}, [FROM], BODY) + SHORT, resolver)[0] == "pass"


def test_of_several_records_one_that_can_be_read_counts(dns: Dns, resolver: Bounded) -> None:
    dns.zone[RSA.at] = {}
    dns.text(RSA.at, "v=spf1 -all")
    dns.text(RSA.at, RSA.record)
    assert told(RSA.sign(LETTER), resolver)[0] == "pass"


def test_a_key_behind_aliases_is_found(dns: Dns, resolver: Bounded) -> None:
    dns.zone[RSA.at] = {"CNAME": ["one.keys.example."]}
    dns.zone["one.keys.example"] = {"CNAME": ["two.keys.example."]}
    dns.text("two.keys.example", RSA.record)
    assert told(RSA.sign(LETTER), resolver)[0] == "pass"


@pytest.mark.parametrize("fault", ["silent", "servfail", "refused", "garbage"])
def test_where_the_dns_does_not_answer_a_later_try_may_tell(dns: Dns, impatient: Bounded, fault: str) -> None:
    dns.faults[RSA.at] = fault  # type: ignore[assignment]  # of the parameters above
    assert told(RSA.sign(LETTER), impatient)[0] == "temperror"


def test_no_more_signatures_than_eight_are_looked_at(dns: Dns, resolver: Bounded) -> None:
    field = RSA.by_hand({"s": "none"}, [FROM], BODY)
    assert len(verdicts(field * 50 + SHORT, resolver)) == dkim.SIGNATURES


def test_time_that_is_over_ends_it(dns: Dns) -> None:
    over = Bounded(Resolver(servers=dns.servers), until=0)
    assert told(RSA.sign(LETTER), over) == ("temperror", "the time for one message is used up")


def test_questions_that_are_used_up_end_it(dns: Dns) -> None:
    field = RSA.by_hand({}, [FROM], BODY)
    asked = Bounded(Resolver(servers=dns.servers, timeout=timedelta(seconds=20)), left=1)
    assert [one.result for one in verdicts(field * 2 + SHORT, asked)] == ["pass", "temperror"]


def test_fields_that_are_monstrous_are_refused(resolver: Bounded) -> None:
    big = b"X: " + b"x" * 2_000_000 + b"\r\n"
    raw = RSA.by_hand({"h": "from:x"}, [FROM], BODY) + big + SHORT
    assert told(raw, resolver) == ("policy", "the signed fields are too large")
    raw = RSA.by_hand({"zz": "z" * 20_000}, [FROM], BODY) + SHORT
    assert told(raw, resolver) == ("permerror", "the list of tags is too long")


class Nowhere:
    """Holds nothing."""

    def __getattr__(self, name: str) -> object:
        return lambda *asked: type("Found", (), {"records": (), "exists": False})()


@given(some.binary(max_size=200))
def test_no_field_is_ever_an_error(value: bytes) -> None:
    nowhere = Bounded(Nowhere())  # type: ignore[arg-type]  # it has whatever is asked for
    raw = b"DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=s; h=from; bh=; b=" + value + b"\r\n" + SHORT
    assert all(one.result != "pass" for one in verdicts(raw, nowhere))
    raw = b"DKIM-Signature: " + value + b"\r\n" + SHORT
    assert all(one.result != "pass" for one in verdicts(raw, nowhere))
