"""Verdicts and response codes."""

import pytest

from postroom.sources.imap.responses import Data, Rejected, Reply, Status


def status(line: bytes) -> Status:
    found = Status.of(line)
    assert found is not None
    return found


def reply(tagged: bytes, *untagged: bytes) -> Reply:
    return Reply("UID MOVE", status(tagged), tuple(status(line) for line in untagged), ())


def test_a_number_is_found_wherever_it_came() -> None:
    assert reply(b"OK [UIDNEXT 4] x", b"OK [UIDVALIDITY 7] x").number("UIDVALIDITY") == 7
    assert reply(b"OK [UIDNEXT 4] x").number("UIDNEXT") == 4
    assert reply(b"OK done").number("UIDNEXT") is None


def test_verdicts_and_codes_are_read_in_any_case() -> None:
    assert status(b"no [trycreate] no such folder").code == "TRYCREATE"
    assert status(b"no [trycreate] no such folder").verdict == "NO"


def test_copyuid_says_what_became_of_each() -> None:
    assert reply(b"OK [COPYUID 85 3,1:2 10:12] ok").copied() == (85, {3: 10, 1: 11, 2: 12})


def test_a_move_in_parts_is_taken_together() -> None:
    found = reply(b"OK done", b"OK [COPYUID 85 1 10] ok", b"OK [COPYUID 85 2 11] ok").copied()
    assert found == (85, {1: 10, 2: 11})


@pytest.mark.parametrize("arguments", [b"85 1:2 10", b"85 1:4294967295 1:4294967295", b"x 1 2", b"85 1:* 2:3", b""])
def test_a_copyuid_that_makes_no_sense_says_nothing(arguments: bytes) -> None:
    assert reply(b"OK [COPYUID " + arguments + b"] ok").copied() is None


def test_appenduid() -> None:
    assert reply(b"OK [APPENDUID 23 9] (Success)").appended() == (23, 9)


def test_a_refusal_is_raised_with_its_code_and_without_addresses() -> None:
    with pytest.raises(Rejected, match=r"NO \[OVERQUOTA\] to UID MOVE: … is full") as caught:
        reply(b"NO [OVERQUOTA] jane@home.example is full").require()
    assert caught.value.code == "OVERQUOTA"


def test_numbered_and_named_data() -> None:
    exists = Data.of((b"* 12 EXISTS",))
    assert (exists.name, exists.number) == ("EXISTS", 12)
    listed = Data.of((rb'* list (\Noselect) "/" foo* bar',))
    assert (listed.name, listed.values()) == ("LIST", [[rb"\Noselect"], b"/", b"foo*", b"bar"])
