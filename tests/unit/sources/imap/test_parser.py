"""Responses cut out of what a server sends."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.sources.imap.parser import Parser, Pieces, Unparsable
from postroom.sources.imap.responses import Data
from postroom.sources.imap.values import values

REPLIES = Path(__file__).parents[3] / "servers" / "replies"


def test_a_literal_belongs_to_its_response() -> None:
    assert Parser().feed(b"* 1 FETCH (BODY[] {5}\r\na)\r\nb UID 3)\r\nA1 OK\r\n") == [
        (b"* 1 FETCH (BODY[] {5}", b"a)\r\nb", b" UID 3)"),
        (b"A1 OK",),
    ]


def test_an_empty_literal_is_one() -> None:
    assert Parser().feed(b"* 1 FETCH (BODY[] {0}\r\n)\r\n") == [(b"* 1 FETCH (BODY[] {0}", b"", b")")]


def test_text_for_people_announces_no_literal() -> None:
    assert Parser().feed(b"* OK [ALERT] see {7}\r\nA1 NO wait {9}\r\n+ go {3}\r\n") == [
        (b"* OK [ALERT] see {7}",),
        (b"A1 NO wait {9}",),
        (b"+ go {3}",),
    ]


@pytest.mark.parametrize("octets", [b"x" * 100, b"* 1 FETCH (BODY[] {99}\r\n"], ids=["line", "literal"])
def test_what_is_longer_than_anything_asked_for_is_refused(octets: bytes) -> None:
    with pytest.raises(Unparsable):
        Parser(line=50, literal=50).feed(octets)


def test_eleven_hundred_responses_in_one_chunk_are_no_trouble() -> None:
    chunk = b"".join(b"* %d FETCH (UID %d FLAGS ())\r\n" % (number, number) for number in range(1, 20_001))
    assert len(Parser().feed(chunk)) == 20_000


@given(st.lists(st.integers(1, 9), max_size=30))
def test_where_the_network_cuts_does_not_matter(cuts: list[int]) -> None:
    whole = b"* LIST () NIL {4}\r\na\r\nb\r\n* 2 EXISTS\nA1 OK done\r\n"
    parser = Parser()
    found: list[Pieces] = []
    rest = whole
    for cut in cuts:
        found += parser.feed(rest[:cut])
        rest = rest[cut:]
    assert found + parser.feed(rest) == Parser().feed(whole)
    assert not parser.is_inside


@given(st.binary(max_size=300))
def test_any_octets_are_cut_or_refused(octets: bytes) -> None:
    try:
        for pieces in Parser(line=100, literal=100).feed(octets):
            values(pieces)
    except Unparsable:
        pass


@pytest.mark.parametrize("path", sorted(REPLIES.glob("*.txt")), ids=lambda path: path.stem)
def test_recorded_replies_are_read_to_their_end(path: Path) -> None:
    octets = path.read_bytes().replace(b"\n", b"\r\n")
    parser = Parser()
    responses = parser.feed(octets)
    assert not parser.is_inside
    assert all(Data.of(pieces).name for pieces in responses if re.match(rb"\* (?!OK)", pieces[0]))
