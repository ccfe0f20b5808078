"""File names from strangers."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.message.names import safe_name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        pytest.param("invoice.pdf", "invoice.pdf", id="plain"),
        pytest.param("Rechnung März 2026.pdf", "Rechnung März 2026.pdf", id="letters-and-blanks"),
        pytest.param("../../etc/passwd", "passwd", id="path"),
        pytest.param("C:\\Users\\x\\a.doc", "a.doc", id="windows-path"),
        pytest.param("/a/b/", "b", id="trailing-separator"),
        pytest.param("..", "attachment", id="dots"),
        pytest.param("a/..", "a", id="dots-at-the-end-of-a-path"),
        pytest.param("", "attachment", id="empty"),
        pytest.param("\0\r\n\x7f", "attachment", id="controls-alone"),
        pytest.param("a\0b\r\nc.txt", "ab c.txt", id="controls"),
        pytest.param("\u202efdp.exe", "fdp.exe", id="bidi-override"),
        pytest.param("a\u200b\ufeff.txt", "a.txt", id="invisible"),
        pytest.param("a∕b／c⁄d＼e.txt", "a_b_c_d_e.txt", id="separators-in-disguise"),
        pytest.param('a:b*c?"d<e>|f', "a_b_c__d_e__f", id="special-on-windows"),
        pytest.param(".htaccess", "htaccess", id="leading-dot"),
        pytest.param(" . .x. . ", "x", id="dots-and-blanks-at-both-ends"),
        pytest.param("CON", "_CON", id="reserved"),
        pytest.param("nul.txt", "_nul.txt", id="reserved-with-extension"),
        pytest.param("COM1.tar.gz", "_COM1.tar.gz", id="reserved-with-two-extensions"),
        pytest.param("lpt¹", "_lpt¹", id="reserved-with-superscript"),
        pytest.param("console.txt", "console.txt", id="not-reserved"),
        pytest.param("u\u0308.txt", "ü.txt", id="composed"),
        pytest.param("\ud800a", "a", id="surrogate"),
    ],
)
def test_a_name_is_safe_to_write(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_the_default_is_cleaned_too() -> None:
    assert safe_name("", "../note.txt") == "note.txt"
    assert safe_name("", "..") == "attachment"


def test_a_long_name_keeps_its_extension() -> None:
    safe = safe_name("ü" * 5000 + ".docx")
    assert safe.endswith("ü.docx")
    assert 190 < len(safe.encode()) <= 200


def test_a_long_extension_is_no_extension() -> None:
    assert safe_name("a." + "b" * 300) == "a." + "b" * 198


@given(st.one_of(st.text(), st.text(alphabet="./\\ CONul\u202e\0ü\u0308¹∕" + "x" * 3, max_size=300)))
def test_no_name_is_unsafe(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert len(safe.encode()) <= 200
    assert not set(safe) & set('/\\∕／⁄＼:*?"<>|\0')
    assert safe.isprintable()
    assert safe == safe.strip(". ")
    assert unicodedata.is_normalized("NFC", safe)
    assert safe.partition(".")[0].rstrip().upper() not in {"CON", "NUL", "PRN", "AUX", "COM1"}


@given(st.text())
def test_a_safe_name_stays_as_it_is(name: str) -> None:
    assert safe_name(safe_name(name)) == safe_name(name)
