"""Sets of UIDs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.sources.imap import uidsets


def test_neighbours_become_ranges() -> None:
    assert list(uidsets.written([7, 3, 1, 2, 9])) == [([1, 2, 3, 7, 9], "1:3,7,9")]


@given(st.sets(st.integers(1, uidsets.HIGHEST), max_size=400))
def test_every_piece_fits_into_a_command_and_none_is_lost(uids: set[int]) -> None:
    pieces = list(uidsets.written(uids))
    assert all(len(text) <= uidsets.LINE for _, text in pieces)
    assert [uid for piece, _ in pieces for uid in piece] == sorted(uids)
    assert all(uidsets.read(text.encode(), limit=1000) == piece for piece, text in pieces)


@pytest.mark.parametrize("text", [b"", b"*", b"1:*", b"1,,2", b"-1", b"1:4294967295", b"99999999999"])
def test_what_is_no_set_is_refused(text: bytes) -> None:
    assert uidsets.read(text, limit=100) is None


def test_a_range_may_be_written_backwards() -> None:
    assert uidsets.read(b"4:2,9", limit=100) == [2, 3, 4, 9]
