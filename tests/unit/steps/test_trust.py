import time

import pytest

from postroom.message import parse
from postroom.steps.trust import Client, client, trusted

HOSTS = ("mx.example.com", "store.example.com.", "10.0.0.7")
OUTSIDE = "Received: from evil.example (evil.example [203.0.113.9]) by mx.example.com (Postfix) with ESMTPS id 1; x"
INNER = "Received: from mx.example.com (mx.example.com [10.0.0.2]) by store.example.com with LMTP; x"


def believed(*fields: str, hosts: tuple[str, ...] = HOSTS) -> list[str]:
    """Names of the fields above the line."""
    raw = "".join(f"{field}\r\n" for field in fields) + "\r\nHi\r\n"
    return [header.name for header in trusted(parse(raw.encode()).headers, hosts) if header.name != "Received"]


def test_fields_above_the_line_count_and_those_below_do_not() -> None:
    assert believed("A: 1", INNER, "B: 1", OUTSIDE, "C: forged") == ["A", "B"]


def test_without_hosts_only_fields_above_the_first_line_count() -> None:
    assert believed("A: 1", INNER, "B: 1", OUTSIDE, "C: 1", hosts=()) == ["A"]


def test_where_the_first_host_is_not_ours_only_fields_above_it_count() -> None:
    other = "Received: from a (a [192.0.2.1]) by relay.example.net; x"
    assert believed("A: 1", other, "B: 1", INNER, "C: 1", OUTSIDE, "D: 1") == ["A"]


def test_where_no_host_vouches_nothing_counts() -> None:
    assert believed("A: 1", "B: 1") == []


def test_a_field_of_ours_that_a_sender_wrote_does_not_move_the_line() -> None:
    forged = "Received: from localhost (localhost [127.0.0.1]) by mx.example.com; x"
    assert believed("A: 1", OUTSIDE, "B: forged", forged, "C: forged", OUTSIDE, "D: forged") == ["A"]


@pytest.mark.parametrize(
    "received",
    [
        pytest.param("from mx.example.com (mx.example.com [10.0.0.2]) by store.example.com; x", id="a name as seen"),
        pytest.param("from helo (unknown [10.0.0.7]) by store.example.com; x", id="an address that is listed"),
        pytest.param("from localhost (localhost [127.0.0.1]) by store.example.com; x", id="loopback"),
        pytest.param("from localhost ([IPv6:::1]) by store.example.com; x", id="loopback of IPv6"),
        pytest.param("by store.example.com (Postfix, from userid 0) id 1; x", id="made there"),
        pytest.param("from mx.example.com by store.example.com; x", id="nothing but names"),
        pytest.param("from MX.example.com\r\n\tby Store.Example.COM\r\n\twith LMTP; x", id="folded, case"),
        pytest.param("from mx.example.com (by evil.example) by store.example.com. ; x", id="comment, final dot"),
    ],
)
def test_the_run_goes_on_where_the_message_came_from_a_host_of_ours(received: str) -> None:
    assert believed(f"Received: {received}", "A: 1", OUTSIDE, "B: forged") == ["A"]


@pytest.mark.parametrize(
    "received",
    [
        pytest.param("from mx.example.com (evil.example [203.0.113.9]) by mx.example.com; x", id="calls itself ours"),
        pytest.param("from mx.example.com (unknown [203.0.113.9]) by mx.example.com; x", id="address without a name"),
        pytest.param("from mx.example.com ([203.0.113.9]) by mx.example.com; x", id="nothing but an address"),
        pytest.param("from x (mx.example.com [203.0.113.9] (may be forged)) by mx.example.com; x", id="sendmail"),
        pytest.param("from [203.0.113.9] (helo=mx.example.com) by mx.example.com; x", id="exim"),
        pytest.param("from [203.0.113.9] (helo=[127.0.0.1]) by mx.example.com; x", id="exim, loopback as name"),
        pytest.param("from unknown (HELO mx.example.com) (203.0.113.9) by mx.example.com; x", id="qmail"),
        pytest.param("from unknown (HELO [127.0.0.1]) (203.0.113.9) by mx.example.com; x", id="qmail, loopback"),
        pytest.param("from [127.0.0.1] (evil.example [203.0.113.9]) by mx.example.com; x", id="loopback as HELO"),
        pytest.param("from [IPv6:::1] (e.example [IPv6:2001:db8::9]) by mx.example.com; x", id="IPv6"),
        pytest.param(
            "from mx.example.com (2001:db8::9) by mx.example.com with Microsoft SMTP Server; x", id="bare IPv6"
        ),
        pytest.param("from mx.example.com (10:11:12 [203.0.113.9]) by mx.example.com; x", id="behind a time"),
    ],
)
def test_the_run_ends_with_the_field_that_took_it_from_outside(received: str) -> None:
    forged = "Received: from localhost by mx.example.com; x"
    assert believed("A: 1", f"Received: {received}", "B: forged", forged, "C: forged") == ["A"]


@pytest.mark.parametrize(
    "received",
    [
        "from evil.example (by mx.example.com) by evil.example; x",
        "from evil.example (a (by mx.example.com) b by mx.example.com",
        "from by by evil.example by mx.example.com; x",
        "from evil.example by =?utf-8?q?mx.example.com?=; x",
        "from evil.example; by mx.example.com.evil.example",
        "",
        "((((",
        "by",
    ],
    ids=["comment", "nested", "by as a name", "encoded", "longer name", "empty", "unclosed", "by what"],
)
def test_a_field_that_only_looks_like_ours_is_not(received: str) -> None:
    assert believed("A: 1", f"Received: {received}", "B: forged", OUTSIDE, "C: forged") == ["A"]


@pytest.mark.parametrize(
    ("hosts", "inner"),
    [
        (("*.example.com",), "from mx.example.com (mx.example.com [192.0.2.2]) by store.example.com; x"),
        (("store.example.com", "10.0.0.0/8", "mx.example.com"), "from mx4 ([10.202.2.203]) by store.example.com; x"),
        (("2002:a00::/24", "mx.example.com"), "by 2002:a05:6102:1591:b0:4e6:245b:cf57 with SMTP id j2; x"),
        (("2603:1000::/24", "*.example.com"), "from a (2603:10b6:8:8a::7) by b.example.com with HTTPS; x"),
        (("10.0.0.0/8", "mx.example.com"), "by [10.76.55.35] with SMTP id o3; x"),
    ],
    ids=["names with a star", "a network", "a network as `by`", "a bare IPv6 address", "brackets"],
)
def test_hosts_may_be_named_by_globs_and_networks(hosts: tuple[str, ...], inner: str) -> None:
    assert believed("A: 1", f"Received: {inner}", "B: 1", OUTSIDE, "C: forged", hosts=hosts) == ["A", "B"]
    assert believed("A: 1", f"Received: {inner}", "B: 1", OUTSIDE, "C: forged", hosts=("mx.example.com",)) == ["A"]


@pytest.mark.parametrize("piece", ["1:", "::", "a.", "1.1.", "[", "(1:2", "a ", "[1:", "by "])
def test_a_field_made_to_cost_much_costs_little(piece: str) -> None:
    began = time.process_time()
    for number in range(50):
        believed(f"Received: from x ({piece * ((4000 + number) // len(piece))} by mx.example.com; x", "B: forged")
    assert time.process_time() - began < 5


def test_a_monstrous_field_is_nobodys() -> None:
    assert believed("A: 1", "Received: by mx.example.com " + "(" * 60_000, "B: forged") == ["A"]


def came(*fields: str, hosts: tuple[str, ...] = HOSTS) -> Client | None:
    return client(parse("".join(f"Received: {field}\r\n" for field in fields).encode() + b"\r\n").headers, hosts)


@pytest.mark.parametrize(
    ("received", "address", "helo"),
    [
        ("from helo.example (seen.example [203.0.113.9]) by mx.example.com (Postfix); x", "203.0.113.9", "helo.example"),
        ("from seen.example ([203.0.113.9] helo=helo.example) by mx.example.com; x", "203.0.113.9", "helo.example"),
        ("from [203.0.113.9] (helo=helo.example) by mx.example.com; x", "203.0.113.9", "helo.example"),
        ("from unknown (HELO helo.example) (203.0.113.9) by mx.example.com with SMTP; x", "203.0.113.9", "helo.example"),
        ("from helo.example (seen.example [203.0.113.9] (may be forged)) by mx.example.com; x", "203.0.113.9", "helo.example"),
        ("from helo.example (203.0.113.9) by mx.example.com with Microsoft SMTP Server; x", "203.0.113.9", "helo.example"),
        ("from helo.example (unknown [IPv6:2001:DB8::9]) by mx.example.com; x", "2001:db8::9", "helo.example"),
        ("from [203.0.113.9] (unknown [203.0.113.9]) by mx.example.com; x", "203.0.113.9", "203.0.113.9"),
    ],
    ids=["Postfix", "Exim", "Exim without a name", "qmail", "Sendmail", "Microsoft", "IPv6", "a literal"],
)  # fmt: skip
def test_who_came_is_told_by_the_host_that_saw_it(received: str, address: str, helo: str) -> None:
    inner = "from mx.example.com (mx.example.com [10.0.0.2]) by store.example.com with LMTP; x"
    assert came(inner, received, "from x (x [192.0.2.1]) by mx.example.com; forged") == Client(address, helo)


@pytest.mark.parametrize(
    "fields",
    [
        [],
        ["from a (a [203.0.113.9]) by other.example; x"],
        ["from localhost (localhost [127.0.0.1]) by mx.example.com; x", "from a (a [203.0.113.9]) by other.example; x"],
        ["from evil.example by mx.example.com; x"],
        ["by mx.example.com (Postfix, from userid 0) id 1; x"],
    ],
    ids=["no field", "not ours", "written on our host", "no address", "made there"],
)
def test_where_no_host_of_ours_saw_an_address_nobody_is_known(fields: list[str]) -> None:
    assert came(*fields) is None
