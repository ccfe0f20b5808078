"""Content in pieces is content as a whole."""

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.message import Defect
from postroom.message.transfer import decode, stream

LARGE = bytes(range(256)) * 3000


def both(encoded: bytes, encoding: str) -> tuple[bytes, set[Defect]]:
    """Decode in both ways, which must agree."""
    whole_found: set[Defect] = set()
    found: set[Defect] = set()
    whole = decode(encoded, 0, len(encoded), encoding, whole_found)
    assert b"".join(stream(encoded, 0, len(encoded), encoding, found)) == whole
    assert found == whole_found
    return whole, found


@pytest.mark.parametrize(
    ("encoded", "encoding"),
    [
        pytest.param(base64.encodebytes(LARGE), "base64", id="base64"),
        pytest.param(base64.b64encode(LARGE), "base64", id="base64-on-one-line"),
        pytest.param(base64.encodebytes(LARGE).replace(b"\n", b" \r\n\t"), "base64", id="base64-with-blanks"),
        pytest.param(quopri.encodestring(LARGE), "quoted-printable", id="quoted-printable"),
        pytest.param(b"".join(b"=%02X" % byte for byte in LARGE), "quoted-printable", id="escapes-on-one-line"),
        pytest.param(LARGE, "8bit", id="8bit"),
    ],
)
def test_large_content_is_decoded_without_defects(encoded: bytes, encoding: str) -> None:
    assert both(encoded, encoding) == (LARGE, set())


@pytest.mark.parametrize(
    ("encoded", "content"),
    [
        pytest.param(b"QQ==" * 100_000, b"A" * 100_000, id="on-one-line"),
        pytest.param(b"QQ==\r\n" * 100_000, b"A" * 100_000, id="on-many-lines"),
        pytest.param(b"QUJD" * 80_000 + b"QQ==\r\nQUI=\r\n", b"ABC" * 80_000 + b"AAB", id="far-in"),
    ],
)
def test_base64_that_was_encoded_piece_by_piece_is_read_to_its_end(encoded: bytes, content: bytes) -> None:
    assert both(encoded, "base64") == (content, {Defect.BAD_BASE64})


@pytest.mark.parametrize(
    "footer", [b"____\r\nlist\r\n", b"Sent by a list.\r\n", b"-- \r\n"], ids=["rule", "text", "dashes"]
)
def test_what_stands_below_padding_and_is_no_base64_is_left_out(footer: bytes) -> None:
    assert both(b"QUI=\r\n\r\n" + footer, "base64") == (b"AB", {Defect.BAD_BASE64})


@given(content=st.binary(min_size=1, max_size=60), foreign=st.sampled_from(b"*!-_.\0\xff"), at=st.integers(0, 80))
def test_a_foreign_character_in_base64_is_told_and_passed_over(content: bytes, foreign: int, at: int) -> None:
    encoded = base64.b64encode(content)
    damaged = encoded[:at] + bytes([foreign]) + encoded[at:]
    assert both(damaged, "base64") == (content, {Defect.BAD_BASE64})


@given(st.lists(st.sampled_from([b"QUJD", b"QQ==", b"QUI=", b"=", b"Q", b"!", b" ", b"\r\n", b"list"]), max_size=30))
def test_no_base64_is_read_in_two_ways(pieces: list[bytes]) -> None:
    both(b"".join(pieces), "base64")


@given(
    st.lists(st.sampled_from([b"=41", b"==", b"=\r\n", b"= \n", b"=", b"a", b"\r", b"\n", b" ", b"=4"]), max_size=30)
)
def test_no_quoted_printable_is_read_in_two_ways(pieces: list[bytes]) -> None:
    both(b"".join(pieces), "quoted-printable")


@given(st.binary(max_size=200))
def test_what_was_encoded_is_decoded(content: bytes) -> None:
    assert both(base64.encodebytes(content), "base64") == (content, set())
