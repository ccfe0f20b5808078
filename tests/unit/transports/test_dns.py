from collections.abc import Iterator
from datetime import timedelta

import pytest

from postroom.errors import Temporary
from postroom.transports.dns import Answers, Exchanger, Resolver
from servers.dns import Dns, Fault, serving

ZONE = {
    "example.com": {
        "MX": ["20 b.example.com.", "10 A.example.com."],
        "TXT": ['"v=spf1 " "-all"', '"other"'],
        "A": ["192.0.2.1", "192.0.2.2"],
    },
    "null.example": {"MX": ["0 ."]},
    "alias.example": {"CNAME": ["example.com."]},
    "1.2.0.192.in-addr.arpa": {"PTR": ["Host.example.com."]},
}


@pytest.fixture
def dns() -> Iterator[Dns]:
    with serving(ZONE) as server:
        yield server


@pytest.fixture
def resolver(dns: Dns) -> Resolver:
    return Resolver(servers=dns.servers, timeout=timedelta(seconds=20))


def test_exchangers_come_most_preferred_first(resolver: Resolver) -> None:
    expected = (Exchanger(10, "a.example.com"), Exchanger(20, "b.example.com"))
    assert resolver.exchangers("example.com").records == expected


def test_a_null_mx_is_an_exchanger_without_a_name(resolver: Resolver) -> None:
    assert resolver.exchangers("null.example").records == (Exchanger(0, ""),)


def test_the_strings_of_a_text_are_joined(resolver: Resolver) -> None:
    assert set(resolver.texts("example.com").records) == {b"v=spf1 -all", b"other"}


def test_an_alias_is_followed(resolver: Resolver) -> None:
    assert set(resolver.addresses("alias.example", "A").records) == {"192.0.2.1", "192.0.2.2"}


def test_an_address_has_names(resolver: Resolver) -> None:
    assert resolver.names("192.0.2.1").records == ("host.example.com",)


def test_a_name_that_is_not_there_is_an_answer(resolver: Resolver) -> None:
    assert resolver.texts("missing.example") == Answers(exists=False)


def test_a_name_without_such_records_is_there(resolver: Resolver) -> None:
    assert resolver.texts("null.example") == Answers(exists=True)


@pytest.mark.parametrize("name", ["a" * 64 + ".example", "x." * 200, "a..b", "\udc80.example", ""])
def test_what_is_no_name_is_not_there(resolver: Resolver, name: str) -> None:
    assert not resolver.texts(name)


def test_any_kind_is_told_as_zone_files_write_it(resolver: Resolver) -> None:
    assert set(resolver.query("example.com", "MX").records) == {"10 A.example.com.", "20 b.example.com."}


@pytest.mark.parametrize("fault", ["servfail", "refused", "silent", "garbage"])
def test_a_server_that_fails_is_temporary(dns: Dns, fault: Fault) -> None:
    dns.faults["example.com"] = fault
    with pytest.raises(Temporary):
        Resolver(servers=dns.servers, timeout=timedelta(seconds=0.5)).texts("example.com")


def test_a_cut_answer_is_asked_for_again_over_tcp(dns: Dns, resolver: Resolver) -> None:
    dns.faults["example.com"] = "truncated"
    assert len(resolver.texts("example.com").records) == 2


def test_the_next_server_is_asked_where_the_first_is_silent(dns: Dns) -> None:
    with serving() as silent:
        silent.faults["example.com"] = "silent"
        resolver = Resolver(servers=[*silent.servers, *dns.servers], timeout=timedelta(seconds=4))
        assert resolver.texts("example.com")


def test_an_answer_is_asked_for_once(dns: Dns, resolver: Resolver) -> None:
    for _ in range(3):
        resolver.texts("example.com")
    assert dns.asked == ["example.com TXT"]


def test_a_zone_full_of_records_is_cut(dns: Dns, resolver: Resolver) -> None:
    dns.faults["many.example"] = "truncated"
    dns.add("many.example", "A", *(f"192.0.{number // 250}.{number % 250}" for number in range(1000)))
    assert len(resolver.addresses("many.example", "A").records) == 200
