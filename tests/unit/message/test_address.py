"""Addresses as they stand in real headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.message import parse
from postroom.message.address import Address, parse_address, parse_addresses
from postroom.message.words import decode_words


def read(value: str) -> list[tuple[str, str]]:
    return [(address.name, address.spec) for address in parse_addresses(value, decode_words)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("bob@x.org", [("", "bob@x.org")], id="bare"),
        pytest.param("Bob <bob@x.org>", [("Bob", "bob@x.org")], id="name"),
        pytest.param("John Q. Public <j@x.org>", [("John Q. Public", "j@x.org")], id="name-with-a-dot"),
        pytest.param('"Doe, J" <j@x.org>', [("Doe, J", "j@x.org")], id="quoted-name"),
        pytest.param(r'"J \"Joe\" Doe" <j@x.org>', [('J "Joe" Doe', "j@x.org")], id="quoted-pairs"),
        pytest.param("a@x.org, b@y.org", [("", "a@x.org"), ("", "b@y.org")], id="list"),
        pytest.param("a@x.org; b@y.org;", [("", "a@x.org"), ("", "b@y.org")], id="semicolons-of-outlook"),
        pytest.param("G: a@x.org, B <b@y.org>;", [("", "a@x.org"), ("B", "b@y.org")], id="group"),
        pytest.param("G: a@x;, c@z", [("", "a@x"), ("", "c@z")], id="address-after-a-group"),
        pytest.param("undisclosed-recipients:;", [], id="empty-group"),
        pytest.param("bob@x.org (Bob)", [("Bob", "bob@x.org")], id="comment-is-the-name-of-old"),
        pytest.param("Bob (the (old) one) <bob@x.org>", [("Bob", "bob@x.org")], id="nested-comment"),
        pytest.param("bob@(here, there)x.org", [("here, there", "bob@x.org")], id="comment-within"),
        pytest.param("( Bob <bob@x.org>", [("Bob", "bob@x.org")], id="unclosed-comment"),
        pytest.param('"Bob <bob@x.org>, al@y', [("Bob", "bob@x.org"), ("", "al@y")], id="unclosed-quote"),
        pytest.param('"john doe"@x.org', [("", '"john doe"@x.org')], id="quoted-local-part"),
        pytest.param('"bob"@x.org', [("", "bob@x.org")], id="needless-quotes"),
        pytest.param('"a@b" <c@x.org>', [("a@b", "c@x.org")], id="address-as-quoted-name"),
        pytest.param("a@b.org <c@x.org>", [("a@b.org", "c@x.org")], id="address-as-name"),
        pytest.param("<@a.org,@b.org:c@d.org>", [("", "c@d.org")], id="source-route"),
        pytest.param("john . doe @ x . org", [("", "john.doe@x.org")], id="blanks-around-dots"),
        pytest.param("a@[192.0.2.1]", [("", "a@[192.0.2.1]")], id="domain-literal"),
        pytest.param("<>", [], id="null"),
        pytest.param("Bob <>", [("Bob", "")], id="name-and-null"),
        pytest.param("Bob <bob@x.org", [("Bob", "bob@x.org")], id="missing-bracket"),
        pytest.param("B <b@x, A <a@y>", [("B", "b@x"), ("A", "a@y")], id="missing-bracket-in-a-list"),
        pytest.param("<<bob@x.org>>", [("", "bob@x.org")], id="doubled-brackets"),
        pytest.param("<a@x> <b@y>", [("", "a@x"), ("", "b@y")], id="missing-comma"),
        pytest.param("<a@x> b@y", [("", "a@x"), ("", "b@y")], id="missing-comma-before-a-bare-one"),
        pytest.param("a@x b@y", [("", "a@x"), ("", "b@y")], id="blank-for-comma"),
        pytest.param("Bob bob@x.org", [("Bob", "bob@x.org")], id="name-and-bare-address"),
        pytest.param("<bob@x.org> Bob", [("Bob", "bob@x.org")], id="name-behind"),
        pytest.param("mailto:bob@x.org", [("", "bob@x.org")], id="mailto"),
        pytest.param("root (Cron Daemon)", [("Cron Daemon", "root")], id="local-user"),
        pytest.param("John Doe", [("John Doe", "")], id="name-alone"),
        pytest.param(" ,,; , a@x,,", [("", "a@x")], id="stray-commas"),
        pytest.param("@@,<@>,()", [], id="nothing-but-marks"),
        pytest.param("", [], id="empty"),
        pytest.param("=?utf-8?q?J=C3=BCrgen?= <j@x>", [("Jürgen", "j@x")], id="encoded-name"),
        pytest.param("=?utf-8?q?a,_b_<c>?= <j@x>", [("a, b <c>", "j@x")], id="marks-within-an-encoded-word"),
        pytest.param("=?utf-8?q?=3Cevil=40y=3E,?= <j@x>", [("<evil@y>,", "j@x")], id="encoded-address"),
        pytest.param('"=?utf-8?q?J=C3=BC?=" <j@x>', [("Jü", "j@x")], id="encoded-word-in-quotes"),
        pytest.param("Jürgen Weiß <j@x>", [("Jürgen Weiß", "j@x")], id="raw-utf-8"),
        pytest.param("root, a@x,,; , daemon,", [("", "root"), ("", "a@x"), ("", "daemon")], id="local-users"),
        pytest.param("Jürgen, =?utf-8?q?J?=, a@x", [("Jürgen", ""), ("J", ""), ("", "a@x")], id="names-alone"),
        pytest.param("jürgen@x.org", [("", "jürgen@x.org")], id="raw-utf-8-in-the-local-part"),
        pytest.param("a@b@c.org", [("", "a@b@c.org")], id="two-at-signs"),
    ],
)
def test_a_list_is_read_as_people_mean_it(value: str, expected: list[tuple[str, str]]) -> None:
    assert read(value) == expected


@pytest.mark.parametrize(
    ("written", "domain"),
    [
        pytest.param("a@EXAMPLE.org.", "example.org", id="case-and-final-dot"),
        pytest.param("a@münchen.example", "xn--mnchen-3ya.example", id="u-label"),
        pytest.param("a@XN--MNCHEN-3YA.example", "xn--mnchen-3ya.example", id="a-label"),
        pytest.param("a@MÜNCHEN。example", "xn--mnchen-3ya.example", id="ideographic-stop"),
        pytest.param("a@mu\u0308nchen.example", "xn--mnchen-3ya.example", id="decomposed"),
        pytest.param("a@straße.example", "xn--strae-oqa.example", id="sharp-s-is-not-ss"),
        pytest.param("a@" + "ü" * 80 + ".example", "ü" * 80 + ".example", id="label-too-long-to-encode"),
    ],
)
def test_domains_have_one_form(written: str, domain: str) -> None:
    (address,) = parse_addresses(written, decode_words)
    assert (address.domain, address.spec) == (domain, f"a@{domain}")


@pytest.mark.parametrize(
    ("written", "local", "detail"),
    [
        ("user+list@x.org", "user+list", "list"),
        ("user+a+b@x.org", "user+a+b", "a+b"),
        ("User@x.org", "User", ""),
        ('"user+my list"@x.org', '"user+my list"', "my list"),
    ],
)
def test_the_detail_is_what_follows_the_first_plus(written: str, local: str, detail: str) -> None:
    (address,) = parse_addresses(written, decode_words)
    assert (address.local, address.detail) == (local, detail)


def test_an_address_is_an_ordinary_frozen_model() -> None:
    (parsed,) = parse_addresses("Bob <bob+x@Y.org>", decode_words)
    built = Address(name="Bob", local="bob+x", domain="y.org", detail="x", spec="bob+x@y.org")
    assert parsed == built
    assert hash(parsed) == hash(built)
    assert Address.model_validate_json(parsed.model_dump_json()) == parsed
    with pytest.raises(ValueError, match="frozen"):
        parsed.name = "Eve"  # type: ignore[misc]


def test_thousands_of_addresses_are_all_found_with_rubbish_among_them() -> None:
    value = ", ".join(f"N {number} <u{number}@x.org>" for number in range(6000))
    assert len(read(value)) == 6000
    assert len(read(value.replace("N 17 <", "(N 17 <"))) == 6000


@pytest.mark.parametrize("opening", ["(", '"', "<", "[", "\\", "=?", "@", "()", "a@x ", ". ", '"\\"'])
def test_repeated_openings_do_not_recurse(opening: str) -> None:
    assert read(opening * 20_000 + ", end@x.org")[-1][1].endswith("end@x.org")


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("bob@x.org", "bob@x.org"),
        ("<bob@X.org>", "bob@x.org"),
        (" <bob@x.org> ", "bob@x.org"),
        ("<@relay.org:bob@x.org>", "bob@x.org"),
        ("postmaster", "postmaster"),
        ('"john doe"@x.org', '"john doe"@x.org'),
        ("bob@[192.0.2.1]", "bob@[192.0.2.1]"),
        ("bob@münchen.example", "bob@xn--mnchen-3ya.example"),
    ],
)
def test_an_envelope_address_is_read_alone(text: str, spec: str) -> None:
    address = parse_address(text)
    assert address is not None
    assert address.spec == spec


@pytest.mark.parametrize(
    "text",
    ["", "<>", "a@x, b@y", "Bob <bob@x>", "bob@", "@x.org", "a@b..c", "a@.c", "bob@x.org\nRCPT TO:<eve@y>",
     "a b@x.org", "bob@x.org\0", "<bob@x.org", "a@" + "x" * 600],
)  # fmt: skip
def test_what_is_no_single_address_is_no_envelope_address(text: str) -> None:
    assert parse_address(text) is None


@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_raw_octets_in_a_list_are_utf_8_or_else_latin_1(charset: str) -> None:
    message = parse("From: Jürgen <j@x>\n\n".encode(charset))
    assert [(address.name, address.spec) for address in message.from_] == [("Jürgen", "j@x")]


_MARKS = st.text(alphabet='ab.@<>(),;:"\\[] =?üß\r\n\t\0+', max_size=60)


@given(st.one_of(st.text(), _MARKS))
def test_no_list_raises_or_yields_an_address_of_nothing(value: str) -> None:
    for address in parse_addresses(value, decode_words):
        assert address.spec or address.name
        assert address.spec in ("", address.local, f"{address.local}@{address.domain}")
        assert not any(character in address.spec for character in "\r\n\0")


@given(st.one_of(st.text(), _MARKS))
def test_no_envelope_address_raises_or_holds_a_control_character(text: str) -> None:
    address = parse_address(text)
    assert address is None or address.spec.isprintable() or not address.spec.isascii()
