"""FETCH responses by UID."""

from datetime import UTC, datetime
from pathlib import Path

from postroom.sources.imap.fetched import Fetched, fetched
from postroom.sources.imap.parser import Parser
from postroom.sources.imap.responses import Data

REPLIES = Path(__file__).parents[3] / "servers" / "replies"


def read(octets: bytes) -> dict[int, Fetched]:
    return fetched(Data.of(pieces) for pieces in Parser().feed(octets) if pieces[0].startswith(b"*"))


def recorded(name: str) -> dict[int, Fetched]:
    return read((REPLIES / name).read_bytes().replace(b"\n", b"\r\n"))


def test_what_was_told_is_there_and_nothing_else() -> None:
    told = read(b'* 9 FETCH (UID 4 RFC822.SIZE 77 INTERNALDATE " 1-Feb-2024 03:04:05 +0130" FLAGS (\\Seen a))\r\n')[4]
    assert (told.size, told.flags, told.body) == (77, {"\\Seen", "a"}, None)
    assert told.arrived == datetime(2024, 2, 1, 1, 34, 5, tzinfo=UTC)


def test_a_range_of_a_body_is_a_body() -> None:
    assert read(b"* 9 FETCH (UID 4 BODY[]<0> {3}\r\nabc)\r\n")[4].body == b"abc"


def test_nil_is_no_body_and_an_empty_string_an_empty_one() -> None:
    assert read(b"* 9 FETCH (UID 4 BODY[] NIL)\r\n")[4].body is None
    assert read(b'* 9 FETCH (UID 4 BODY[] "")\r\n')[4].body == b""


def test_flags_that_another_program_changes_meanwhile_do_not_count() -> None:
    assert read(b"* 9 FETCH (FLAGS (\\Seen))\r\n") == {}


def test_two_responses_for_one_message_add_up() -> None:
    told = read(b"* 9 FETCH (UID 4 FLAGS (a))\r\n* 9 FETCH (UID 4 BODY[] {1}\r\nx)\r\n* 9 FETCH (FLAGS (b) UID 4)\r\n")[
        4
    ]
    assert (told.flags, told.body) == ({"b"}, b"x")


def test_two_bodies_for_one_uid_are_none() -> None:
    """One of them is another message's, and nobody knows which."""
    assert read(b"* 8 FETCH (UID 4 BODY[] {1}\r\nx)\r\n* 9 FETCH (UID 4 BODY[] {1}\r\ny)\r\n")[4].body is None
    assert read(b"* 8 FETCH (UID 4 BODY[] {1}\r\nx)\r\n* 8 FETCH (UID 4 BODY[] {1}\r\nx)\r\n")[4].body == b"x"


def test_uids_that_are_none_do_not_count() -> None:
    assert read(b"* 9 FETCH (UID 0)\r\n* 9 FETCH (UID 99999999999)\r\n* 9 FETCH (UID x)\r\n* 9 FETCH UID\r\n") == {}


def test_a_date_that_is_none_is_unknown() -> None:
    assert read(b'* 9 FETCH (UID 4 INTERNALDATE "31-Feb-2024 03:04:05 +0000")\r\n')[4].arrived is None


def test_gmail_with_labels_and_annotations_around_the_body() -> None:
    told = recorded("fetch.1+unsolicited-info.txt")[1]
    assert told.body is not None
    assert len(told.body) == 181614
    assert told.flags == {"\\Seen", "\\Deleted"}


def test_a_summary_with_envelopes_and_structures() -> None:
    assert all(told.size and told.arrived for told in recorded("search-summary.txt").values())
