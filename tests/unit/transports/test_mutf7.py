import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.transports import mutf7


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("INBOX", "INBOX"),
        ("A & B", "A &- B"),
        ("Entwürfe", "Entw&APw-rfe"),
        ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("\U0001f4e7", "&2D3c5w-"),
        ("a\tb", "a&AAk-b"),
    ],
    ids=["plain", "ampersand", "umlaut", "the example of RFC 3501", "outside the BMP", "control character"],
)
def test_folder_names_are_written_as_imap_does(name: str, encoded: str) -> None:
    assert mutf7.encode(name) == encoded
    assert mutf7.decode(encoded) == name


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_name_comes_back(name: str) -> None:
    encoded = mutf7.encode(name)
    assert encoded.isascii()
    assert encoded.isprintable()
    assert mutf7.decode(encoded) == name


@pytest.mark.parametrize("name", ["a&", "a&b", "&?-", "&AA-"], ids=repr)
def test_what_is_no_such_encoding_stays_as_it_is(name: str) -> None:
    assert mutf7.decode(name) == name
