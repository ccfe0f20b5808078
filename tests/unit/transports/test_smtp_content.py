"""A message as SMTP takes it: CRLF, doubled dots, one end, however it is cut into pieces."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.sources.listener.data import Dots
from postroom.transports.smtp.content import BLOCK, END, measured, stuffed

TEXT = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"a", b"\xff", b"x" * 998]), max_size=12)


def canonical(message: bytes) -> bytes:
    """With CRLF line ends, the last line ended."""
    whole = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
    return whole if not whole or whole.endswith(b"\r\n") else whole + b"\r\n"


@given(TEXT, st.lists(st.integers(0, 30), max_size=6))
def test_what_a_server_reads_is_the_message_however_it_was_cut(pieces: list[bytes], cuts: list[int]) -> None:
    message = b"".join(pieces)
    places = sorted({0, *(min(cut, len(message)) for cut in cuts), len(message)})
    chunks = [message[start:end] for start, end in pairwise(places)]
    sent = b"".join(stuffed(chunks))
    dots = Dots()
    read = dots.feed(sent)
    assert dots.rest == b""  # it ends at its own end and nowhere before
    assert read == canonical(message)
    assert measured(chunks).size == len(canonical(message))


@pytest.mark.parametrize(
    "message", [b".", b".\r\n", b".\r\nMAIL FROM:<>\r\n", b"..\n", b"a\r", b"a\n.\n", b"a\r.\r", b"a\r\n.\rb"]
)
def test_no_line_of_a_message_ends_it(message: bytes) -> None:
    for at in range(len(message) + 1):
        sent = b"".join(stuffed([message[:at], message[at:]]))
        assert sent.endswith(b"\r\n" + END)
        assert (b"\r\n" + sent).index(b"\r\n" + END) == len(sent) - len(END)


def test_the_last_octets_hold_the_end_so_that_nothing_is_delivered_before_them() -> None:
    *before, last = stuffed([b"a\r\n", b"b\r\n", b"c"])
    assert last.endswith(END)
    assert END not in b"".join(before)


@pytest.mark.parametrize("ends", [b"\r\n", b"\r", b"\n", b"\r\r\n"], ids=["CRLF", "CR", "LF", "CR CRLF"])
def test_a_line_end_across_two_blocks_is_one(ends: bytes) -> None:
    for at in range(BLOCK - 3, BLOCK + 1):
        message = b"x" * at + ends + b".\r\nb"
        dots = Dots()
        assert dots.feed(b"".join(stuffed([message]))) == canonical(message)
        assert dots.rest == b""
