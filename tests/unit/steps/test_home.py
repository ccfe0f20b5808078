"""The steps that say where the message goes in its home: move, copy, keep, discard, flag, unflag."""

import pytest
from pydantic import ValidationError

from postroom import steps, testing
from postroom.pipeline.outcome import Copy, Flags, Outcome, Place
from postroom.pipeline.step import Reference


def outcomes(word: str, **options: object) -> list[Outcome]:
    view = testing.view(testing.message(from_="ann@lists.example.org"), folder="INBOX")
    return [*steps.step(word).model_validate(options).plan(view, testing.tools())]


@pytest.mark.parametrize(
    ("word", "options", "expected"),
    [
        ("keep", {}, Place("kept")),
        ("discard", {}, Place("gone")),
        ("move", {"folder": "Archive/{{ received.year }}"}, Place("moved", "Archive/2026")),
        ("move", {"folder": "A", "create": False}, Place("moved", "A", create=False)),
        ("copy", {"folder": "{{ from.local }}"}, Copy("ann")),
        ("flag", {"flags": r"\seen"}, Flags(add=frozenset({r"\Seen"}))),
        ("flag", {"flags": [r"\Flagged", "$Work"]}, Flags(add=frozenset({r"\Flagged", "$Work"}))),
        ("unflag", {"flags": "$Junk"}, Flags(remove=frozenset({"$Junk"}))),
    ],
    ids=["keep", "discard", "move", "move, not made", "copy", "flag", "flags", "unflag"],
)
def test_a_step_says_one_thing(word: str, options: dict[str, object], expected: Outcome) -> None:
    assert outcomes(word, **options) == [expected]


def test_a_sender_cannot_choose_another_folder_than_the_one_meant() -> None:
    [place] = outcomes("move", folder="Lists/{{ from.domain }}")
    assert place == Place("moved", "Lists/lists-example-org")


@pytest.mark.parametrize("flag", [r"\Recent", r"\Own", "two words", "", "a{b", "ä", 'a"b', "a)"], ids=repr)
def test_a_flag_that_imap_does_not_know_is_refused(flag: str) -> None:
    with pytest.raises(ValidationError, match="flag is written"):
        outcomes("flag", flags=flag)


@pytest.mark.parametrize("word", ["flag", "unflag"])
def test_flags_cannot_be_none_at_all(word: str) -> None:
    with pytest.raises(ValidationError):
        outcomes(word, flags=[])


@pytest.mark.parametrize("word", ["move", "copy"])
def test_a_folder_named_in_full_can_be_looked_up_and_one_from_a_message_cannot(word: str) -> None:
    assert [*steps.step(word).model_validate({"folder": "A/B"}).names()] == [Reference("folder", "A/B")]
    assert not [*steps.step(word).model_validate({"folder": "{{ from.local }}"}).names()]
