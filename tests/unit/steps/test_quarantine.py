import json
from pathlib import Path

import pytest

from postroom import steps, testing
from postroom.errors import Permanent
from postroom.pipeline.outcome import Effect


def planned(tmp_path: Path, **options: object) -> Effect:
    step = steps.step("quarantine").model_validate(options)
    [made] = step.plan(testing.view(testing.message(subject="x\ty")), testing.tools(tmp_path))
    assert isinstance(made, Effect)
    return steps.effect(made.word).model_validate_json(made.model_dump_json())


def test_the_message_is_set_aside_with_the_reason_beside_it(tmp_path: Path) -> None:
    made, raw = planned(tmp_path, reason="a program: {{ subject }}"), testing.message()
    made.perform(testing.letter(raw, key="K"), testing.tools(tmp_path))
    assert (made.target, made.delivers) == ("a program: x y", True)
    message, about = tmp_path / "quarantine/K.eml", tmp_path / "quarantine/K.json"
    assert message.read_bytes() == raw
    assert json.loads(about.read_text()) == {
        "reason": "a program: x y",
        "mailbox": "test",
        "sender": "ann@example.org",
        "recipients": ["bob@example.com"],
        "received": "2026-03-01T12:00:00+00:00",
    }
    assert {file.stat().st_mode & 0o777 for file in (message, about)} == {0o600}
    assert message.parent.stat().st_mode & 0o777 == 0o700


def test_a_second_try_adds_nothing(tmp_path: Path) -> None:
    made, letter, tools = planned(tmp_path, reason="r"), testing.letter(), testing.tools(tmp_path)
    assert [made.perform(letter, tools).repeated for _ in range(2)] == [False, True]
    assert len([*(tmp_path / "quarantine").iterdir()]) == 2


def test_another_directory_may_be_named_which_nothing_leaves(tmp_path: Path) -> None:
    made = planned(tmp_path, to="{{ from.domain }}")
    made.perform(testing.letter(key="K"), testing.tools(tmp_path))
    assert (tmp_path / "quarantine/example.org/K.eml").exists()
    (tmp_path / "quarantine/example.org").rename(tmp_path / "outside")
    (tmp_path / "quarantine/example.org").symlink_to(tmp_path / "outside")
    with pytest.raises(Permanent):
        made.perform(testing.letter(key="L"), testing.tools(tmp_path))
    assert not (tmp_path / "outside/L.eml").exists()
