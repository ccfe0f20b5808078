"""RFC 7489: what speaks for the From field's domain, and what that domain asks for."""

import pytest

from postroom import testing
from postroom.authentication import dmarc
from postroom.authentication.bounds import Bounded
from postroom.authentication.dmarc import aligned, organization
from postroom.authentication.verdict import Verdict
from postroom.message import parse
from servers.dns import Dns

NOTHING = Verdict("none", "")


def passed(domain: str) -> Verdict:
    return Verdict("pass", "", domain)


def asked(
    resolver: Bounded,
    domain: str = "mail.example.com",
    spf: Verdict = NOTHING,
    dkim: tuple[Verdict, ...] = (),
    key: str = "k",
) -> tuple[str, str | None]:
    """The result and the policy for a message from that domain."""
    verdict, policy = dmarc.verify(parse(testing.message(from_=f"Ann <ann@{domain}>")), spf, dkim, resolver, key)
    return verdict.result, policy


@pytest.mark.parametrize(
    ("one", "domain", "relaxed", "strict"),
    [
        ("example.com", "example.com", True, True),
        ("mail.example.com", "example.com", True, False),
        ("example.com", "mail.example.com", True, False),
        ("a.example.com", "b.example.com", True, False),
        ("example.com", "example.org", False, False),
        ("example.co.uk", "other.co.uk", False, False),
        ("co.uk", "example.co.uk", False, False),
        ("com", "example.com", False, False),
        ("notexample.com", "example.com", False, False),
        ("a.github.io", "b.github.io", False, False),
        ("", "example.com", False, False),
    ],
)
def test_alignment(one: str, domain: str, relaxed: bool, strict: bool) -> None:
    assert (aligned(one, domain, strict=False), aligned(one, domain, strict=True)) == (relaxed, strict)


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("a.b.example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("co.uk", "co.uk"),
        ("a.xn--85x722f.com.cn", "xn--85x722f.com.cn"),
        ("a.nowhere-at-all", "a.nowhere-at-all"),
    ],
)
def test_the_organization_is_what_somebody_registered(domain: str, expected: str) -> None:
    assert organization(domain) == expected


@pytest.mark.parametrize(
    ("record", "spf", "dkim", "result"),
    [
        pytest.param("", NOTHING, (), "pass", id="by DKIM"),
        pytest.param("", passed("example.com"), None, "pass", id="by SPF"),
        pytest.param("; aspf=s", passed("example.com"), None, "fail", id="SPF, strict, of the organization"),
        pytest.param("; aspf=s", passed("mail.example.com"), None, "pass", id="SPF, strict, itself"),
        pytest.param("; adkim=s", NOTHING, (), "pass", id="DKIM, strict, itself"),
        pytest.param("; adkim=s", NOTHING, (passed("example.com"),), "fail", id="DKIM, strict, of the organization"),
        pytest.param("", NOTHING, (passed("other.example"), passed("example.com")), "pass", id="DKIM, one of several"),
        pytest.param(
            "", passed("other.example"), (passed("another.example"),), "fail", id="others speak for themselves"
        ),
        pytest.param("", Verdict("softfail", "", "example.com"), None, "fail", id="SPF, softfail"),
        pytest.param("", Verdict("temperror", "", "example.com"), None, "temperror", id="SPF, not answered"),
        pytest.param("", Verdict("temperror", "", "other.example"), None, "fail", id="SPF, another's, not answered"),
        pytest.param("", NOTHING, (Verdict("temperror", "", "example.com"),), "temperror", id="DKIM, not answered"),
        pytest.param("", passed("example.com"), (Verdict("temperror", "", "example.com"),), "pass", id="one is enough"),
        pytest.param("", NOTHING, (Verdict("policy", "", "example.com"),), "fail", id="DKIM, not accepted"),
        pytest.param("", NOTHING, None, "fail", id="neither"),
    ],
)
def test_what_speaks_for_the_domain(
    dns: Dns, resolver: Bounded, record: str, spf: Verdict, dkim: tuple[Verdict, ...] | None, result: str
) -> None:
    dns.text("_dmarc.mail.example.com", f"v=DMARC1; p=reject{record}")
    signatures = () if dkim is None else dkim or (passed("mail.example.com"),)
    assert asked(resolver, spf=spf, dkim=signatures) == (result, "reject")


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param({"_dmarc.mail.example.com": "v=DMARC1; p=none"}, ("fail", "none"), id="none"),
        pytest.param({"_dmarc.mail.example.com": "v=DMARC1;p=Quarantine;"}, ("fail", "quarantine"), id="quarantine"),
        pytest.param({"_dmarc.mail.example.com": "v=DMARC1; p=reject; sp=none"}, ("fail", "reject"), id="sp= is for others"),
        pytest.param({"_dmarc.example.com": "v=DMARC1; p=reject"}, ("fail", "reject"), id="of the organization"),
        pytest.param({"_dmarc.example.com": "v=DMARC1; p=reject; sp=none"}, ("fail", "none"), id="of the organization, sp="),
        pytest.param(
            {"_dmarc.mail.example.com": "v=DMARC1; p=none", "_dmarc.example.com": "v=DMARC1; p=reject"}, ("fail", "none"), id="the nearer counts"
        ),
        pytest.param({"_dmarc.com": "v=DMARC1; p=reject"}, ("none", None), id="nothing above the organization"),
        pytest.param({}, ("none", None), id="no record"),
        pytest.param({"_dmarc.mail.example.com": "v=DMARC2; p=reject"}, ("none", None), id="version"),
        pytest.param({"_dmarc.mail.example.com": "p=reject; v=DMARC1"}, ("none", None), id="version at the end"),
        pytest.param({"_dmarc.mail.example.com": "v=DMARC1; p=dance"}, ("none", None), id="no policy"),
        pytest.param({"_dmarc.mail.example.com": "v=DMARC1"}, ("none", None), id="policy is missing"),
        pytest.param({"_dmarc.mail.example.com": "v=DMARC1; p=dance; rua=mailto:a@b.example"}, ("fail", "none"), id="no policy but reports"),
        pytest.param({"_dmarc.mail.example.com": "v=DMARC1; p=reject; pct=0"}, ("fail", "quarantine"), id="spared"),
        pytest.param({"_dmarc.mail.example.com": "v=DMARC1; p=quarantine; pct=0"}, ("fail", "none"), id="spared more"),
        pytest.param({"_dmarc.mail.example.com": "v=DMARC1; p=reject; pct=many"}, ("fail", "reject"), id="no number"),
        pytest.param({"_dmarc.mail.example.com": "v=DMARC1; p=reject; pct=999"}, ("fail", "reject"), id="too large a number"),
        pytest.param({"_dmarc.mail.example.com": "x" * 20_000}, ("none", None), id="monstrous"),
    ],
)  # fmt: skip
def test_what_the_domain_asks_for(
    dns: Dns, resolver: Bounded, records: dict[str, str], expected: tuple[str, str | None]
) -> None:
    for name, record in records.items():
        dns.text(name, record)
    assert asked(resolver) == expected


def test_a_domain_that_says_two_things_says_nothing(dns: Dns, resolver: Bounded) -> None:
    dns.text("_dmarc.example.com", "v=DMARC1; p=reject")
    dns.text("_dmarc.example.com", "v=DMARC1; p=none")
    dns.text("_dmarc.example.com", "something else")
    assert asked(resolver, "example.com") == ("none", None)


def test_those_that_a_percentage_spares_are_the_same_each_time(dns: Dns, resolver: Bounded) -> None:
    dns.text("_dmarc.example.com", "v=DMARC1; p=reject; pct=30")
    resolver.left = 1_000
    found = [asked(resolver, "example.com", key=f"message {number}")[1] for number in range(300)]
    assert found == [asked(resolver, "example.com", key=f"message {number}")[1] for number in range(300)]
    assert 60 < found.count("reject") < 120


def test_a_policy_behind_an_alias_is_found(dns: Dns, resolver: Bounded) -> None:
    dns.zone["_dmarc.example.com"] = {"CNAME": ["policy.example.net."]}
    dns.text("policy.example.net", "v=DMARC1; p=reject")
    assert asked(resolver, "example.com") == ("fail", "reject")


@pytest.mark.parametrize("fault", ["silent", "servfail"])
def test_where_the_dns_does_not_answer_a_later_try_may_tell(dns: Dns, impatient: Bounded, fault: str) -> None:
    dns.faults["_dmarc.example.com"] = fault  # type: ignore[assignment]  # of the parameters above
    assert asked(impatient, "example.com") == ("temperror", None)


@pytest.mark.parametrize(
    "head",
    [
        b"", b"From: Ann\r\n", b"From: ann@localhost\r\n", b"From: a@example.com\r\nFrom: a@example.com\r\n",
        b"From: a@example.com, b@example.org\r\n", b"From: a@[192.0.2.1]\r\n", b"From: a@exa mple.com\r\n", b"From: a@" + b"x" * 300 + b".example\r\n",
    ],
    ids=["none", "no address", "one label", "two fields", "two domains", "a literal", "a space", "a long name"],
)  # fmt: skip
def test_without_one_domain_to_show_nothing_can_speak_for_it(dns: Dns, resolver: Bounded, head: bytes) -> None:
    dns.text("_dmarc.example.com", "v=DMARC1; p=reject")
    verdict, policy = dmarc.verify(parse(head + b"\r\nHi\r\n"), passed("example.com"), (), resolver, "k")
    assert (verdict.result, policy) == ("permerror", None)


def test_a_domain_in_another_script_is_asked_by_its_ascii_name(dns: Dns, resolver: Bounded) -> None:
    dns.text("_dmarc.xn--mnchen-3ya.example", "v=DMARC1; p=reject")
    assert asked(resolver, "münchen.example", dkim=(passed("xn--mnchen-3ya.example"),)) == ("pass", "reject")
