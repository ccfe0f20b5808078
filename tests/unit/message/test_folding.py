"""Header fields as they are written."""

import re
from email import message_from_bytes
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.message.address import parse_addresses
from postroom.message.folding import encode_header
from postroom.message.words import decode_words

_WORD = re.compile(rb"=\?utf-8\?([qb])\?([^?]*)\?=")


def value_of(field: bytes) -> str:
    unfolded = re.sub(rb"\r?\n(?=[ \t])", b"", field).partition(b":")[2].strip()
    return decode_words(unfolded)


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [
        pytest.param("Subject", "Hello", b"Subject: Hello\r\n", id="ascii"),
        pytest.param("Subject", "Grüße an alle", b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= an alle\r\n", id="words"),
        pytest.param("Subject", "über ölig", b"Subject: =?utf-8?q?=C3=BCber_=C3=B6lig?=\r\n", id="adjacent-words"),
        pytest.param("Subject", "請求書", b"Subject: =?utf-8?b?6KuL5rGC5pu4?=\r\n", id="base64-where-shorter"),
        pytest.param("X", "=?utf-8?q?a?=", b"X: =?utf-8?q?=3D=3Futf-8=3Fq=3Fa=3F=3D?=\r\n", id="looks-encoded"),
        pytest.param("X", "a\r\nBcc: b\0\x1b\u2028c", b"X: a Bcc: b c\r\n", id="line-breaks-and-controls"),
        pytest.param("X", "  a  b ", b"X: a  b\r\n", id="blanks"),
        pytest.param("X", "", b"X:\r\n", id="empty"),
        pytest.param("X", "\ud800a", b"X: a\r\n", id="surrogate"),
        pytest.param("From", "Jürgen <j@x.org>", b"From: =?utf-8?q?J=C3=BCrgen?= <j@x.org>\r\n", id="address"),
        pytest.param(
            "To",
            '"Dö, J" <j@x>, "Doe, A" <a@y>, c@z',
            b'To: =?utf-8?q?D=C3=B6=2C_J?= <j@x>, "Doe, A" <a@y>, c@z\r\n',
            id="addresses",
        ),
        pytest.param("To", "G: a@x;", b"To: G: a@x;\r\n", id="ascii-addresses-stay"),
        pytest.param("Cc", "a@münchen.example", b"Cc: a@xn--mnchen-3ya.example\r\n", id="idn"),
        pytest.param("List-Id", "Ü <l.x.org>", b"List-Id: =?utf-8?q?=C3=9C?= <l.x.org>\r\n", id="list-id"),
    ],
)
def test_a_field_is_encoded(name: str, value: str, field: bytes) -> None:
    assert encode_header(name, value, b"\r\n") == field


def test_long_values_are_folded_at_their_blanks() -> None:
    value = " ".join(["word"] * 60)
    field = encode_header("Subject", value, b"\n")
    assert max(map(len, field.split(b"\n"))) <= 78
    assert field.replace(b"\n", b"").decode() == f"Subject: {value}"


def test_each_encoded_word_is_whole_by_itself() -> None:
    value = "日本語のとても長い件名 ü" * 20
    field = encode_header("Subject", value, b"\r\n")
    assert max(map(len, field.split(b"\r\n"))) <= 78
    for word in _WORD.finditer(field):
        assert len(word[0]) <= 75
        assert "\ufffd" not in decode_words(word[0])
    assert value_of(field) == value


def test_a_word_too_long_for_any_line_is_encoded() -> None:
    field = encode_header("X", "x" * 5000, b"\r\n")
    assert max(map(len, field.split(b"\r\n"))) <= 78
    assert value_of(field) == "x" * 5000


def test_other_readers_read_the_same() -> None:
    value = "Rechnung für März: 20 € — bitte prüfen, 請求書 und noch mehr Text zum Umbrechen"
    message = message_from_bytes(encode_header("Subject", value, b"\n") + b"\n")
    assert str(make_header(decode_header(message["Subject"]))).replace("\n", "") == value


def test_encoded_addresses_are_read_as_the_same_addresses() -> None:
    value = ", ".join(f'"Jürgen, {number}" <j{number}@x.org>' for number in range(50))
    field = encode_header("To", value, b"\r\n")
    assert max(map(len, field.split(b"\r\n"))) <= 78
    raw = field.replace(b"\r\n", b"").partition(b":")[2].decode("ascii")
    assert parse_addresses(raw, decode_words) == parse_addresses(value, decode_words)


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "ä", "a\n", "x" * 77])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="header field name"):
        encode_header(name, "x", b"\r\n")


_VALUES = st.one_of(
    st.text(), st.text(alphabet=' aü日,<>@"=?\r\n\t\0', max_size=200), st.text(alphabet="a ü", min_size=900)
)


@given(_VALUES, st.sampled_from([b"\r\n", b"\n"]), st.sampled_from(["Subject", "To", "X" * 60]))
def test_no_value_ends_a_field_or_makes_a_line_too_long(value: str, eol: bytes, name: str) -> None:
    field = encode_header(name, value, eol)
    lines = field.split(eol)
    assert lines.pop() == b""
    assert lines[0].startswith(name.encode() + b":")
    assert all(line.startswith(b" ") and line.strip() for line in lines[1:])
    assert all(len(line) <= 998 for line in lines)
    assert not re.search(rb"[\r\n\0]", field.replace(eol, b""))


@given(st.text(alphabet='ab üß日=?_"', max_size=300))
def test_an_unstructured_value_comes_back(value: str) -> None:
    assert value_of(encode_header("Subject", value, b"\r\n")) == value.strip()
