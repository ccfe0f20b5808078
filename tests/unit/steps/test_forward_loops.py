"""The step `forward`: what stops a loop (RFC 5321 6.3)."""

from typing import Any

import pytest

from postroom import testing
from postroom.errors import Permanent, Temporary
from postroom.pipeline.outcome import Note
from postroom.testing import Failures, Seal, Transport
from unit.steps.forwarding import Site


@pytest.mark.parametrize(
    "headers",
    [{"Delivered-To": ["x@y.example", "Bob@Example.net"]}, {"Received": ["from a by b; today"] * 50}],
    ids=["Delivered-To", "Received"],
)
def test_what_goes_round_fails_for_good_and_explain_says_why(headers: dict[str, Any]) -> None:
    site = Site()
    [note, effect] = site.outcomes(testing.message(headers=headers))
    assert isinstance(note, Note)
    with pytest.raises(Permanent):
        effect.perform(testing.letter(), site.tools)
    assert not site.server.sent


def test_our_own_mark_stops_a_message_that_comes_back() -> None:
    site = Site()
    site.forward()
    [note, _] = site.outcomes(site.content)
    assert note == Note("not forwarded: it has been forwarded to this recipient already")
    [effect] = site.effects(site.content, to="carol@example.net")
    assert not effect.refused


def test_a_mark_that_others_made_or_that_is_of_another_message_says_nothing() -> None:
    theirs = Site(seal=Seal("theirs"))
    theirs.forward()
    assert not Site().effects(theirs.content)[0].refused
    ours = Site()
    ours.forward()
    other = ours.content.replace(b"<1@example.org>", b"<2@example.org>")
    assert not Site().effects(other)[0].refused


def test_a_count_that_anybody_wrote_says_nothing() -> None:
    """Else a stranger could make mail undeliverable that others answer to or pass on."""
    content = testing.message(headers={"X-Postroom-Trace": "9 aaaa bbbb"})
    assert not Site().effects(content)[0].refused


def test_a_message_is_forwarded_from_here_four_times_at_most() -> None:
    content = testing.message()
    for number in range(4):
        site = Site()
        site.forward(content, to=f"b{number}@example.net")
        content = site.content
    [note, _] = Site().outcomes(content)
    assert "4 times" in note.text


def test_the_same_message_goes_to_a_recipient_once_also_when_it_comes_twice() -> None:
    site = Site()
    site.forward(letter=testing.letter(key="A" * 26))
    assert site.forward(letter=testing.letter(key="B" * 26)).repeated
    assert len(site.server.sent) == 1


def test_a_person_who_replays_a_message_means_it() -> None:
    site = Site()
    site.forward()
    assert not site.forward().repeated
    assert len(site.server.sent) == 2


def test_what_failed_is_not_remembered() -> None:
    site = Site(Transport(failures=Failures({1})))
    with pytest.raises(Temporary):
        site.forward()
    assert not site.forward().repeated


@pytest.mark.parametrize("mode", ["attach", "inline"])
def test_our_own_mark_stops_a_message_of_ours_that_comes_back(mode: str) -> None:
    site = Site()
    site.forward(mode=mode, **{"from": "me@example.com"})
    [note, _] = site.outcomes(site.content, mode=mode, **{"from": "me@example.com"})
    assert note == Note("not forwarded: it has been forwarded to this recipient already")


@pytest.mark.parametrize("mode", ["attach", "inline"])
def test_two_sites_that_send_messages_of_theirs_to_each_other_stop(mode: str) -> None:
    content, rounds = testing.message(), 0
    while rounds < 10:
        site = Site(seal=Seal(f"site {rounds % 2}"), host=f"site{rounds % 2}.example")
        options = {"mode": mode, "to": f"to{rounds}@example.net", "from": "me@example.com"}
        if site.effects(content, **options)[0].refused:
            break
        site.forward(content, letter=testing.letter(content, key=f"K{rounds}" * 13), **options)
        content, rounds = site.content, rounds + 1
    assert rounds == 4
