import mailbox
from pathlib import Path
from typing import Any

import pytest

from postroom import steps, testing
from postroom.errors import Permanent, Temporary
from postroom.pipeline.outcome import Effect


def planned(tmp_path: Path, to: str, **options: Any) -> Effect:
    view = testing.view(testing.message(subject="../../../etc", from_="ann@acme.example"))
    step = steps.step("file").model_validate({"to": to, **options})
    [made] = step.plan(view, testing.tools(tmp_path))
    assert isinstance(made, Effect)
    assert steps.effect(made.word).model_validate_json(made.model_dump_json()) == made
    return made


@pytest.mark.parametrize(
    ("to", "options", "word"),
    [
        ("lists", {}, "file"), ("lists.mbox", {}, "mbox"), ("mail/mbox", {}, "mbox"),
        ("lists", {"format": "mbox"}, "mbox"), ("lists.mbox", {"format": "maildir"}, "file"),
    ],
    ids=["maildir", "ending", "the name mbox", "format mbox", "format maildir"],
)  # fmt: skip
def test_the_ending_or_the_format_decides(tmp_path: Path, to: str, options: dict[str, object], word: str) -> None:
    made = planned(tmp_path, to, **options)
    assert (made.word, made.target, made.delivers) == (word, to, True)
    assert made.repeatable == (word == "file")


def test_a_maildir_below_files_is_made_and_a_second_try_adds_nothing(tmp_path: Path) -> None:
    made = planned(tmp_path, "lists/{{ from.domain }}")
    assert made.target == "lists/acme.example"
    tools, letter = testing.tools(tmp_path), testing.letter()
    assert [made.perform(letter, tools).repeated for _ in range(2)] == [False, True]
    assert len([*(tmp_path / "files/lists/acme.example/new").iterdir()]) == 1


def test_an_mbox_gets_the_envelopes_sender_and_the_lines_that_we_add(tmp_path: Path) -> None:
    letter = testing.letter(prefix=b"Return-Path: <ann@example.org>\r\n")
    planned(tmp_path, "x.mbox").perform(letter, testing.tools(tmp_path))
    box = mailbox.mbox(tmp_path / "files/x.mbox", create=False)
    [message] = box
    assert message["Return-Path"] == "<ann@example.org>"
    assert str(message.get_from()).startswith("ann@example.org ")
    box.close()


def test_a_home_directory_is_found_only_where_the_operator_wrote_the_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    planned(tmp_path, "~/Mail").perform(testing.letter(), testing.tools(tmp_path))
    assert (tmp_path / "home/Mail/new").is_dir()
    planned(tmp_path, "~{{ mailbox }}").perform(testing.letter(), testing.tools(tmp_path))
    assert (tmp_path / "files/~test/new").is_dir()


@pytest.mark.parametrize("to", ["{{ subject }}/m", "a/{{ subject }}", "a/{{ subject }}.mbox"])
def test_a_message_cannot_lead_out_of_the_root(tmp_path: Path, to: str) -> None:
    planned(tmp_path, to).perform(testing.letter(), testing.tools(tmp_path))
    outside = [path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "files")]
    assert outside == []


@pytest.mark.parametrize("to", ["{{ from.domain }}/m", "{{ from.domain }}/m.mbox", "{{ from.domain }}"])
def test_a_symbolic_link_below_the_root_is_not_followed(tmp_path: Path, to: str) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "files/acme.example").symlink_to(tmp_path / "outside")
    with pytest.raises(Permanent):
        planned(tmp_path, to).perform(testing.letter(), testing.tools(tmp_path))
    assert not [*(tmp_path / "outside").iterdir()]


@pytest.mark.parametrize("ending", ["", ".mbox"], ids=["maildir", "mbox"])
def test_places_that_senders_name_are_made_a_hundred_times_an_hour(tmp_path: Path, ending: str) -> None:
    tools = testing.tools(tmp_path)
    step = steps.step("file").model_validate({"to": "from/{{ from.local }}" + ending})

    def filed(local: str) -> None:
        view = testing.view(testing.message(from_=f"{local}@acme.example"))
        [made] = step.plan(view, tools)
        assert isinstance(made, Effect)
        made.perform(testing.letter(key=local), tools)

    for number in range(100):
        filed(f"ann{number}")
    with pytest.raises(Temporary, match="100 new places were made there within an hour"):
        filed("bob")
    filed("ann7")
    planned(tmp_path, f"fixed{ending}").perform(testing.letter(), tools)
    assert len([*(tmp_path / "files/from").iterdir()]) == 100
