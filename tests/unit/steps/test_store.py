import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from postroom import steps, testing
from postroom.errors import Permanent, Temporary
from postroom.pipeline.outcome import Effect
from postroom.steps.store import CopyEffect, KeepEffect, MoveEffect, Store


def delivered(store: Path) -> list[str]:
    return sorted(str(file.relative_to(store).parent) for sub in ("new", "cur") for file in store.glob(f"**/{sub}/*"))


def effect(home: Store, word: str, folder: str = "", flags: frozenset[str] = frozenset()) -> Effect:
    made = home.deliver(word, folder, flags, create=True)  # type: ignore[arg-type]  # words of the table below
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("word", "folder", "flags", "where"),
    [
        ("keep", "", frozenset[str](), "new"),
        ("move", "Archive/2026", frozenset[str](), ".Archive.2026/new"),
        ("copy", "Team", frozenset({r"\Seen"}), ".Team/cur"),
    ],
    ids=["keep", "move", "copy"],
)
def test_home_words_become_deliveries_into_the_store(
    tmp_path: Path, word: str, folder: str, flags: frozenset[str], where: str
) -> None:
    made = effect(Store(str(tmp_path / "m")), word, folder, flags)
    assert (made.word, made.target) == (word, folder)
    receipt = made.perform(testing.letter(), testing.tools())
    assert not receipt.repeated
    assert delivered(tmp_path / "m") == [where]


@pytest.mark.parametrize("kind", [KeepEffect, MoveEffect, CopyEffect])
def test_a_second_try_with_the_same_key_finds_the_first_ones_work(
    tmp_path: Path, kind: type[KeepEffect | MoveEffect | CopyEffect]
) -> None:
    made = kind(store=str(tmp_path / "m"), folder="A")
    letter = testing.letter()
    assert [made.perform(letter, testing.tools()).repeated for _ in range(2)] == [False, True]
    assert len(delivered(tmp_path / "m")) == 1


def test_the_lines_that_we_add_stand_in_front_and_line_ends_are_those_of_a_unix_file(tmp_path: Path) -> None:
    letter = testing.letter(b"Subject: x\r\n\r\nbody\r\n", prefix=b"Return-Path: <a@b.example>\r\n")
    KeepEffect(store=str(tmp_path)).perform(letter, testing.tools())
    [file] = (tmp_path / "new").iterdir()
    assert file.read_bytes() == b"Return-Path: <a@b.example>\nSubject: x\n\nbody\n"


def test_a_caller_that_takes_what_is_kept_gets_no_keep_but_the_rest(tmp_path: Path) -> None:
    home = Store(str(tmp_path), passes=True)
    assert home.deliver("keep", "", frozenset(), create=True) is None
    assert home.deliver("move", "A", frozenset(), create=True) is not None


def test_a_maildir_holds_system_flags_and_no_keywords(tmp_path: Path) -> None:
    home = Store(str(tmp_path))
    assert home.holds(r"\Seen")
    assert home.holds("$Forwarded")
    assert not home.holds("$Junk")


def test_errors_name_the_store_and_not_the_folder(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("")
    with pytest.raises(Temporary) as caught:
        MoveEffect(store=str(tmp_path / "m"), folder="From a message").perform(testing.letter(), testing.tools())
    assert str(tmp_path / "m") in str(caught.value)
    assert "From a message" not in str(caught.value)


def test_a_folder_that_is_missing_and_not_to_be_made_fails_for_good(tmp_path: Path) -> None:
    with pytest.raises(Permanent):
        MoveEffect(store=str(tmp_path / "m"), folder="A", create=False).perform(testing.letter(), testing.tools())


def test_the_stored_form_does_not_depend_on_the_order_of_a_set(tmp_path: Path) -> None:
    """An effect's key derives from its JSON, and a set of text has another order in each process."""
    script = (
        "from postroom.steps.store import KeepEffect\n"
        "print(KeepEffect(store='m', flags=frozenset(['a', 'b', 'c', 'd', 'e', 'f'])).model_dump_json())"
    )
    forms = {
        subprocess.run(
            [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(forms) == 1


def test_effects_come_back_from_the_ledger_as_they_were(tmp_path: Path) -> None:
    made = effect(Store(str(tmp_path)), "move", "A/B", frozenset({r"\Seen", r"\Flagged"}))
    assert steps.effect(made.word).model_validate_json(made.model_dump_json()) == made


def test_folders_that_senders_name_are_made_a_hundred_times_a_day_and_mail_is_kept_all_the_same(tmp_path: Path) -> None:
    now = [testing.NOW]
    home, tools = Store(str(tmp_path)), testing.tools(memory=testing.Memory(clock=lambda: now[0]))
    for number in range(100):
        effect(home, "move", f"From/{number}").perform(testing.letter(key=f"{number}"), tools)
    with pytest.raises(Temporary, match="100 new folders were made there within a day"):
        effect(home, "copy", "From/more").perform(testing.letter(), tools)
    assert not (tmp_path / ".From.more").exists()
    effect(home, "move", "From/7").perform(testing.letter(), tools)
    effect(home, "keep").perform(testing.letter(), tools)
    effect(Store(str(tmp_path / "other")), "move", "From/more").perform(testing.letter(), tools)
    now[0] += timedelta(days=1)
    effect(home, "move", "From/more").perform(testing.letter(), tools)
