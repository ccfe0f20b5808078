"""Where mail data end, however they are cut on their way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroom.sources.listener.data import Dots

# Octets that matter, and one that does not.
DATA = st.text("\r\n.x", max_size=60).map(str.encode)


def stuffed(message: bytes) -> bytes:
    """As RFC 5321 4.5.2 has it sent, line by line."""
    lines = message.split(b"\r\n")
    sent = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines)
    return sent + (b".\r\n" if message.endswith(b"\r\n") or not message else b"\r\n.\r\n")


def taken(sent: bytes, cuts: list[int]) -> tuple[bytes, bytes | None]:
    """The message, and what came behind it."""
    dots = Dots()
    message, start = b"", 0
    for cut in [*sorted(cuts), len(sent)]:
        if piece := sent[start:cut]:
            if dots.rest is not None:
                dots.rest += piece
            else:
                message += dots.feed(piece)
            start = cut
    return message, dots.rest


@given(DATA, st.lists(st.integers(0, 80)))
@settings(max_examples=500)
def test_any_message_arrives_as_it_was_however_it_is_cut(message: bytes, cuts: list[int]) -> None:
    whole = message if message.endswith(b"\r\n") or not message else message + b"\r\n"
    assert taken(stuffed(message) + b"QUIT\r\n", cuts) == (whole, b"QUIT\r\n")


@given(DATA, st.lists(st.integers(0, 80)))
@settings(max_examples=500)
def test_any_octets_give_the_same_in_one_piece_and_in_many(sent: bytes, cuts: list[int]) -> None:
    at_once, once_more = taken(sent, []), taken(sent, cuts)
    if at_once[1] is None:
        # What may be the beginning of the end is held back in both.
        assert once_more == at_once
    else:
        assert once_more == at_once


@pytest.mark.parametrize(
    "ending",
    [
        b"\n.\n",
        b"\n.\r\n",
        b"\r.\r",
        b"\r\n.\n",
        b"\r\n.\r",
        b"\r.\r\n",
        b"\n\n.\r\n",
        b"\r\n\x00.\r\n",
        b"\r\n.\r\r\n",
    ],
    ids=repr,
)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_semantics_7_only_crlf_dot_crlf_ends_data(ending: bytes, size: int) -> None:
    sent = b"Subject: x\r\n\r\nbody" + ending + b"MAIL FROM:<smuggled@example.org>\r\n.\r\n"
    message, rest = taken(sent, list(range(0, len(sent), size)))
    assert rest == b""
    assert message.endswith(b"MAIL FROM:<smuggled@example.org>\r\n")
    assert message.startswith(b"Subject: x\r\n\r\nbody")


def test_semantics_8_one_dot_in_front_of_a_line_is_taken_out() -> None:
    assert taken(b"..first\r\n...\r\n.x\r\na.b\r\n\n.kept\r\n.\r\n", []) == (
        b".first\r\n..\r\nx\r\na.b\r\n\n.kept\r\n",
        b"",
    )


def test_bare_line_ends_are_octets_like_others() -> None:
    assert taken(b"a\nb\rc\r\n.\r\n", []) == (b"a\nb\rc\r\n", b"")


def test_an_empty_message_is_one() -> None:
    assert taken(b".\r\n", []) == (b"", b"")
