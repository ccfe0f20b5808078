import gzip
from pathlib import Path

import pytest

from postroom import steps, testing
from postroom.pipeline.outcome import Effect


def planned(tmp_path: Path, **options: object) -> Effect:
    step = steps.step("archive").model_validate({"to": "all/{{ received.year }}", **options})
    [made] = step.plan(testing.view(), testing.tools(tmp_path))
    assert isinstance(made, Effect)
    return steps.effect(made.word).model_validate_json(made.model_dump_json())


def test_the_message_is_written_as_it_is_and_kept_all_the_same(tmp_path: Path) -> None:
    made, raw = planned(tmp_path), testing.message()
    made.perform(testing.letter(raw, key="K"), testing.tools(tmp_path))
    assert (made.target, made.delivers) == ("all/2026", False)
    assert (tmp_path / "files/all/2026/K.eml").read_bytes() == raw
    assert (tmp_path / "files/all/2026/K.eml").stat().st_mode & 0o777 == 0o600


def test_gzip_comes_back_as_it_went_in_and_is_the_same_each_time(tmp_path: Path) -> None:
    made = planned(tmp_path, gzip=True)
    raw = testing.message(attachments=[testing.Attachment("a.bin", size=1_000_000)])
    letter = testing.letter(raw, key="K")
    assert not made.perform(letter, testing.tools(tmp_path)).repeated
    file = tmp_path / "files/all/2026/K.eml.gz"
    assert gzip.decompress(file.read_bytes()) == raw
    assert made.perform(letter, testing.tools(tmp_path)).repeated
    assert [*file.parent.iterdir()] == [file]


@pytest.mark.parametrize("packed", [False, True], ids=["raw", "gzip"])
def test_a_try_that_was_cut_off_is_made_good(tmp_path: Path, packed: bool) -> None:
    made, letter = planned(tmp_path, gzip=packed), testing.letter(key="K")
    (tmp_path / "files/all/2026").mkdir(parents=True)
    (tmp_path / "files/all/2026/.postroom-K-aa").write_bytes(b"half")
    assert not made.perform(letter, testing.tools(tmp_path)).repeated
    assert len([*(tmp_path / "files/all/2026").iterdir()]) == 1
