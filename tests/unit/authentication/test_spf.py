"""RFC 7208 by its sections: each row is a zone, a client and a sender, and what comes of them."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as some

from postroom.authentication.bounds import Bounded
from postroom.authentication.spf import check
from postroom.authentication.spf.broken import Broken
from postroom.authentication.spf.record import read
from postroom.transports.dns import Resolver
from servers.dns import Dns

SIX = "2001:db8::1"


@dataclass(frozen=True)
class Case:
    """`record`: of example.com; `more`: other names, a text for TXT."""

    name: str
    record: str
    result: str
    address: str = "192.0.2.1"
    sender: str = "ann@example.com"
    helo: str = "mail.example.com"
    more: dict[str, str | dict[str, list[str]]] = field(default_factory=dict)


def a(*addresses: str) -> dict[str, list[str]]:
    return {"A": list(addresses)}


HERE = a("192.0.2.1")
MX = {
    "example.com": {"MX": ["10 mx1.example.com.", "20 mx2.example.com."]},
    "mx1.example.com": a("192.0.2.9"),
    "mx2.example.com": HERE,
}
PTR = {
    "1.2.0.192.in-addr.arpa": {"PTR": ["liar.example.net.", "host.example.com."]},
    "host.example.com": HERE,
    "liar.example.net": a("192.0.2.9"),
}
CASES = [
    # 4.3, 4.4, 4.5: domains and records
    Case("no record", "", "none"),
    Case("another text", "v=spf2 -all", "none"),
    Case("version alone", "v=spf1", "neutral"),
    Case("version in capitals", "V=SPF1 -ALL", "fail"),
    Case("version is a whole word", "v=spf10 -all", "none"),
    Case("several records", "v=spf1 -all", "permerror", more={"example.com": {"TXT": ['"v=spf1 +all"']}}),
    Case("other texts beside it", "v=spf1 -all", "fail", more={"example.com": {"TXT": ['"google-site-verification=1"']}}),
    Case("a domain of one label", "v=spf1 -all", "none", sender="ann@localhost"),
    Case("no domain", "v=spf1 -all", "none", sender="ann"),
    Case("an empty label", "v=spf1 -all", "none", sender="ann@a..example.com"),
    Case("a long label", "v=spf1 -all", "none", sender=f"ann@{'a' * 64}.example.com"),
    Case("an address literal", "v=spf1 -all", "none", sender="ann@[192.0.2.1]"),
    Case("a monstrous sender", "v=spf1 -all", "none", sender="a" * 2_000 + "@example.com"),
    Case("a monstrous greeting", "v=spf1 -all", "none", helo="a" * 2_000),
    Case("an address with a zone", "v=spf1 ip6:fe80::/10 -all", "pass", address="fe80::1%eth0"),
    Case("no such address", "v=spf1 -all", "none", address="nowhere"),
    Case("the null sender is the greeting's", "v=spf1 -all", "pass", sender="", more={"mail.example.com": "v=spf1 ip4:192.0.2.1 -all"}),
    Case("the null sender, no greeting", "v=spf1 -all", "none", sender="", helo=""),
    Case("no local part is postmaster", "v=spf1 exists:%{l}.example.com -all", "pass", sender="@example.com", more={"postmaster.example.com": HERE}),
    # 4.6: syntax, wherever it stands
    Case("an unknown mechanism", "v=spf1 +all moo", "permerror"),
    Case("an unknown mechanism behind the match", "v=spf1 ip4:192.0.2.1 moo -all", "permerror"),
    Case("an unknown modifier", "v=spf1 moo=%{d} -all", "fail"),
    Case("an unknown modifier with a bad macro", "v=spf1 moo=%{q} -all", "permerror"),
    Case("a modifier's name with a digit in front", "v=spf1 1moo=x -all", "permerror"),
    Case("spaces", "v=spf1   -all  ", "fail"),
    Case("a qualifier before a modifier", "v=spf1 -redirect=example.net", "permerror"),
    Case("not ASCII", "v=spf1 a:\\195\\164.example.com -all", "permerror"),
    Case("neutral", "v=spf1 ?all", "neutral"),
    Case("softfail", "v=spf1 ~all", "softfail"),
    Case("nothing matches", "v=spf1 ip4:192.0.2.9", "neutral"),
    Case("the first match counts", "v=spf1 ?ip4:192.0.2.1 -all", "neutral"),
    # 5.1 all
    Case("all with an argument", "v=spf1 all:example.com", "permerror"),
    Case("all with a length", "v=spf1 -all/24", "permerror"),
    # 5.2 include
    Case("include, pass", "v=spf1 include:i.example.com -all", "pass", more={"i.example.com": "v=spf1 ip4:192.0.2.1 -all"}),
    Case("include, fail", "v=spf1 include:i.example.com ~all", "softfail", more={"i.example.com": "v=spf1 -all"}),
    Case("include, neutral", "v=spf1 include:i.example.com ~all", "softfail", more={"i.example.com": "v=spf1 ?all"}),
    Case("include, none", "v=spf1 include:i.example.com ~all", "permerror"),
    Case("include, permerror", "v=spf1 include:i.example.com ~all", "permerror", more={"i.example.com": "v=spf1 moo"}),
    Case("include, itself", "v=spf1 include:example.com -all", "permerror"),
    Case("include without a name", "v=spf1 include -all", "permerror"),
    Case("include with a length", "v=spf1 include:i.example.com/24 -all", "permerror"),
    # 5.3 a
    Case("a", "v=spf1 a -all", "pass", more={"example.com": HERE}),
    Case("a, of several", "v=spf1 a -all", "pass", more={"example.com": a("192.0.2.9", "192.0.2.1")}),
    Case("a, another", "v=spf1 a -all", "fail", more={"example.com": a("192.0.2.9")}),
    Case("a, a name", "v=spf1 a:h.example.com -all", "pass", more={"h.example.com": HERE}),
    Case("a, behind aliases", "v=spf1 a:h.example.com -all", "pass", more={"h.example.com": {"CNAME": ["i.example.com."]}, "i.example.com": {"CNAME": ["j.example.com."]}, "j.example.com": HERE}),
    Case("a, a network", "v=spf1 a/24 -all", "pass", more={"example.com": a("192.0.2.200")}),
    Case("a, a network of all", "v=spf1 a/0 -all", "pass", more={"example.com": a("203.0.113.1")}),
    Case("a, IPv6", "v=spf1 a//64 -all", "pass", address=SIX, more={"example.com": {"AAAA": ["2001:db8::ffff"]}}),
    Case("a, both lengths", "v=spf1 a/24//64 -all", "fail", address=SIX, more={"example.com": {"A": ["192.0.2.1"], "AAAA": ["2001:db8:1::1"]}}),
    Case("a, too long a length", "v=spf1 a/33 -all", "permerror"),
    Case("a, too long a length of IPv6", "v=spf1 a//129 -all", "permerror"),
    Case("a, a length with a zero in front", "v=spf1 a/08 -all", "permerror"),
    Case("a, an empty name", "v=spf1 a: -all", "permerror"),
    Case("a, no length behind the stroke", "v=spf1 a/ -all", "permerror"),
    Case("a, digits for an end", "v=spf1 a:111.222.33.44 -all", "permerror"),
    Case("a, one label", "v=spf1 a:museum -all", "permerror"),
    Case("a, a final dot", "v=spf1 a:h.example.com. -all", "pass", more={"h.example.com": HERE}),
    Case("a, a label that is too long", f"v=spf1 a:{'x' * 64}.example.com ~all", "softfail"),
    # 5.4 mx
    Case("mx", "v=spf1 mx -all", "pass", more=MX),
    Case("mx, a name and a network", "v=spf1 mx:other.example/24 -all", "pass", more={"other.example": {"MX": ["0 h.other.example."]}, "h.other.example": a("192.0.2.77")}),
    Case("mx, none", "v=spf1 mx -all", "fail"),
    Case("mx, its own address is none", "v=spf1 mx -all", "fail", more={"example.com": HERE}),
    Case("mx, the null one", "v=spf1 mx -all", "fail", more={"example.com": {"MX": ["0 ."]}}),
    Case("mx, ten of them", "v=spf1 mx -all", "fail", more={"example.com": {"MX": [f"{n} m{n}.example.com." for n in range(10)]}}),
    Case("mx, eleven of them", "v=spf1 mx -all", "permerror", more={"example.com": {"MX": [f"{n} m{n}.example.com." for n in range(11)]}}),
    # 5.5 ptr
    Case("ptr", "v=spf1 ptr -all", "pass", more=PTR),
    Case("ptr, a name", "v=spf1 ptr:host.example.com -all", "pass", more=PTR),
    Case("ptr, one that does not lead back", "v=spf1 ptr:example.net -all", "fail", more=PTR),
    Case("ptr, no more than a part of a label", "v=spf1 ptr:ost.example.com -all", "fail", more=PTR),
    Case("ptr, none", "v=spf1 ptr -all", "fail"),
    # 5.6 ip4, ip6
    Case("ip4", "v=spf1 ip4:192.0.2.1 -all", "pass"),
    Case("ip4, a network", "v=spf1 ip4:192.0.2.128/24 -all", "pass"),
    Case("ip4, of all", "v=spf1 ip4:1.2.3.4/0 -all", "pass"),
    Case("ip4 is not for IPv6", "v=spf1 ip4:0.0.0.0/0 -all", "fail", address=SIX),
    Case("ip4, mapped into IPv6", "v=spf1 ip4:192.0.2.1 -all", "pass", address="::ffff:192.0.2.1"),
    Case("ip4, short", "v=spf1 ip4:192.0.2 -all", "permerror"),
    Case("ip4, a length too long", "v=spf1 ip4:192.0.2.1/33 -all", "permerror"),
    Case("ip4, a mask", "v=spf1 ip4:192.0.2.1/255.255.255.0 -all", "permerror"),
    Case("ip4, nothing", "v=spf1 ip4 -all", "permerror"),
    Case("ip4 of an IPv6 address", "v=spf1 ip4:2001:db8::1 -all", "permerror"),
    Case("ip6", "v=spf1 ip6:2001:DB8::/32 -all", "pass", address=SIX),
    Case("ip6, another", "v=spf1 ip6:2001:db9::/32 -all", "fail", address=SIX),
    Case("ip6, a zone", "v=spf1 ip6:fe80::1%eth0 -all", "permerror"),
    Case("ip6, a length too long", "v=spf1 ip6:2001:db8::/129 -all", "permerror"),
    # 5.7 exists
    Case("exists", "v=spf1 exists:%{ir}.list.example -all", "pass", more={"1.2.0.192.list.example": a("127.0.0.2")}),
    Case("exists, no", "v=spf1 exists:%{ir}.list.example -all", "fail"),
    Case("exists asks for IPv4 whoever comes", "v=spf1 exists:e.example.com -all", "pass", address=SIX, more={"e.example.com": a("127.0.0.2")}),
    Case("exists without a name", "v=spf1 exists -all", "permerror"),
    # 6.1, 6.2: redirect, exp
    Case("redirect", "v=spf1 redirect=r.example.com", "softfail", more={"r.example.com": "v=spf1 ~all"}),
    Case("redirect, only where nothing matched", "v=spf1 redirect=r.example.com ?all", "neutral", more={"r.example.com": "v=spf1 -all"}),
    Case("redirect, none", "v=spf1 redirect=r.example.com", "permerror"),
    Case("redirect, itself", "v=spf1 redirect=example.com", "permerror"),
    Case("redirect, twice", "v=spf1 redirect=r.example.com redirect=r.example.com", "permerror"),
    Case("redirect, empty", "v=spf1 redirect=", "permerror"),
    Case("redirect, %{d} is the new domain", "v=spf1 redirect=r.example.com", "pass", more={"r.example.com": "v=spf1 exists:%{d}.ok.example -all", "r.example.com.ok.example": HERE}),
    Case("exp is not asked", "v=spf1 exp=why.example.com -all", "fail"),
    Case("exp, twice", "v=spf1 exp=a.example.com exp=b.example.com -all", "permerror"),
    Case("exp, empty", "v=spf1 exp= -all", "permerror"),
    # 7: macros
    *(
        Case(f"macro {macro}", f"v=spf1 exists:{macro}.m.example -all", "pass", sender="strong-bad@example.com", address=address, more={f"{name}.m.example": HERE})
        for macro, name, address in [
            ("%{s}", "strong-bad\\@example.com", "192.0.2.1"), ("%{o}", "example.com", "192.0.2.1"), ("%{d}", "example.com", "192.0.2.1"),
            ("%{d1}", "com", "192.0.2.1"), ("%{dr}", "com.example", "192.0.2.1"), ("%{d1r}", "example", "192.0.2.1"), ("%{d99}", "example.com", "192.0.2.1"),
            ("%{l}", "strong-bad", "192.0.2.1"), ("%{l-}", "strong.bad", "192.0.2.1"), ("%{lr-}", "bad.strong", "192.0.2.1"), ("%{l1r-}", "strong", "192.0.2.1"),
            ("%{h}", "mail.example.com", "192.0.2.1"), ("%{v}", "in-addr", "192.0.2.1"), ("%{v}", "ip6", SIX), ("%{i}", "192.0.2.1", "192.0.2.1"),
            ("%{ir}.%{v}._spf.%{d2}", "1.2.0.192.in-addr._spf.example.com", "192.0.2.1"), ("%{D}", "example.com", "192.0.2.1"),
            ("%{S}", "strong-bad%40example.com", "192.0.2.1"), ("a%%b", "a%b", "192.0.2.1"), ("a%-b", "a%20b", "192.0.2.1"), ("%{p}", "unknown", "192.0.2.1"),
            ("%{ir}", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2", SIX),
        ]
    ),
    Case("macro p", "v=spf1 exists:%{p}.m.example -all", "pass", more={**PTR, "host.example.com.m.example": HERE}),
    Case("macro of no letter", "v=spf1 exists:%{q}.example.com -all", "permerror"),
    Case("macro of an explanation", "v=spf1 exists:%{c}.example.com -all", "permerror"),
    Case("macro of no parts", "v=spf1 exists:%{d0}.example.com -all", "permerror"),
    Case("macro without an end", "v=spf1 exists:%{d.example.com -all", "permerror"),
    Case("a percent sign alone", "v=spf1 exists:%d.example.com -all", "permerror"),
    Case("a macro for an end", "v=spf1 include:_spf.%{d} -all", "pass", more={"_spf.example.com": "v=spf1 +all"}),
    Case("too long a name loses labels in front", "v=spf1 exists:%{l}.m.example -all", "pass", sender=".".join(["x" * 60, *"abcdefghij" * 12]) + "@example.com",
         more={".".join("abcdefghij" * 12) + ".m.example": HERE}),
    # 4.6.4: limits
    Case("ten questions", "v=spf1 " + " ".join(f"a:h{n}.example.com" for n in range(10)) + " ?all", "neutral", more={f"h{n}.example.com": a("192.0.2.9") for n in range(10)}),
    Case("eleven questions", "v=spf1 " + " ".join(f"a:h{n}.example.com" for n in range(11)) + " ?all", "permerror", more={f"h{n}.example.com": a("192.0.2.9") for n in range(11)}),
    Case("a match before the eleventh", "v=spf1 " + " ".join(f"a:h{n}.example.com" for n in range(11)) + " ?all", "pass", more={f"h{n}.example.com": HERE if n == 9 else a("192.0.2.9") for n in range(11)}),
    Case("questions of records that are included", "v=spf1 include:i.example.com -all", "permerror", more={"i.example.com": "v=spf1 " + " ".join(["a:h.example.com"] * 10), "h.example.com": a("192.0.2.9")}),
    Case("ip4 asks nothing", "v=spf1 " + "ip4:192.0.2.9 " * 20 + "-all", "fail"),
    Case("two that find nothing", "v=spf1 a:x.example.com a:y.example.com ?all", "neutral"),
    Case("three that find nothing", "v=spf1 a:x.example.com mx:y.example.com exists:z.example.com ?all", "permerror"),
    Case("a record that is too long", "v=spf1 " + "ip4:192.0.2.9 " * 700 + "+all", "permerror"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_rfc_7208(dns: Dns, resolver: Bounded, case: Case) -> None:
    for name, held in case.more.items():
        if isinstance(held, str):
            dns.text(name, held)
        else:
            for kind, records in held.items():
                dns.add(name, kind, *records)
    if case.record:
        dns.text("example.com", case.record)
    found = check(case.address, case.helo, case.sender, resolver)
    assert (found.result, found.reason) == (case.result, found.reason)


@pytest.mark.parametrize("fault", ["silent", "servfail", "refused", "garbage"])
@pytest.mark.parametrize("name", ["example.com", "h.example.com"], ids=["the record", "a host"])
def test_where_the_dns_does_not_answer_a_later_try_may_tell(
    dns: Dns, impatient: Bounded, fault: str, name: str
) -> None:
    dns.text("example.com", "v=spf1 a:h.example.com -all")
    dns.faults[name] = fault  # type: ignore[assignment]  # of the parameters above
    found = check("192.0.2.1", "h", "a@example.com", impatient)
    assert (found.result, found.domain) == ("temperror", "example.com")


def test_a_ptr_that_is_not_answered_is_no_match(dns: Dns, resolver: Bounded) -> None:
    dns.text("example.com", "v=spf1 ptr -all")
    dns.faults["1.2.0.192.in-addr.arpa"] = "servfail"
    assert check("192.0.2.1", "h", "a@example.com", resolver).result == "fail"


def test_of_the_names_that_a_client_claims_ten_are_looked_at(dns: Dns, resolver: Bounded) -> None:
    dns.text("example.com", "v=spf1 ptr -all")
    dns.add("1.2.0.192.in-addr.arpa", "PTR", *(f"h{number}.example.com." for number in range(30)))
    assert check("192.0.2.1", "h", "a@example.com", resolver).result == "fail"
    assert len([asked for asked in dns.asked if asked.endswith(" A")]) == 10


def test_an_answer_that_only_fits_a_stream_is_read(dns: Dns, resolver: Bounded) -> None:
    dns.text("example.com", "v=spf1 " + "ip4:192.0.2.9 " * 200 + "ip4:192.0.2.1 -all")
    dns.faults["example.com"] = "truncated"
    assert check("192.0.2.1", "h", "a@example.com", resolver).result == "pass"


def test_aliases_that_lead_in_a_circle_end(dns: Dns, resolver: Bounded) -> None:
    dns.zone["b.example.com"] = {"CNAME": ["b.example.com."]}
    dns.faults["b.example.com"] = "servfail"
    dns.text("example.com", "v=spf1 a:b.example.com -all")
    assert check("192.0.2.1", "h", "a@example.com", resolver).result == "temperror"


def test_the_questions_of_one_message_are_bounded(dns: Dns) -> None:
    for n in range(10):
        dns.add("example.com", "MX", f"{n} m{n}.example.com.")
    dns.text("example.com", "v=spf1" + " mx" * 10 + " -all")
    few = Bounded(Resolver(servers=dns.servers), left=5)
    found = check("192.0.2.1", "h", "a@example.com", few)
    assert (found.result, found.reason) == ("temperror", "the questions for one message are used up")


@given(some.text(alphabet="v=spf1 -~?+:/%{}.slodiphcrtvaminexdx0123456789all\\", max_size=80))
def test_reading_a_record_gives_one_or_says_why_not(text: str) -> None:
    try:
        read(text)
    except Broken:
        pass


def test_macros_of_a_hostile_record_are_read_in_linear_time() -> None:
    with pytest.raises(Broken):
        read("a:" + "%{d" * 2_000 + ".example.com")
    with pytest.raises(Broken):
        read("a:" + "/1" * 3_000)
