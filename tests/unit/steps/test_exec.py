import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from postroom import steps, testing
from postroom.errors import Permanent, PostroomError, Temporary
from postroom.pipeline.outcome import Effect, Receipt

TELL = """
import json, os, sys
stdin = sys.stdin.buffer.read().decode()
answer = {"argv": sys.argv[2:], "env": dict(os.environ), "stdin": stdin, "cwd": os.getcwd()}
open(sys.argv[1], "w").write(json.dumps(answer))
"""


def planned(tmp_path: Path, *command: str, raw: bytes | None = None, **options: Any) -> Effect:
    step = steps.step("exec").model_validate({"command": command, **options})
    [made] = step.plan(testing.view(raw), testing.tools(tmp_path))
    assert isinstance(made, Effect)
    again = steps.effect(made.word).model_validate_json(made.model_dump_json())
    assert again == made
    return again


def perform(tmp_path: Path, *command: str, raw: bytes | None = None, **options: Any) -> Receipt:
    letter = testing.letter(raw, prefix=b"Delivered-To: bob@example.com\r\n")
    return planned(tmp_path, *command, raw=raw, **options).perform(letter, testing.tools(tmp_path))


def told(tmp_path: Path, *arguments: str, **options: Any) -> dict[str, Any]:
    perform(tmp_path, sys.executable, "-c", TELL, str(tmp_path / "told"), *arguments, **options)
    answer: dict[str, Any] = json.loads((tmp_path / "told").read_text())
    return answer


def test_a_program_gets_the_message_its_arguments_and_a_clean_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTROOM_SECRET", "hunter2")
    raw = testing.message(subject="two words; $(reboot) `x` 'q'")
    answer = told(tmp_path, "{{ subject }}", "--from={{ from }}", raw=raw, env={"LIST": "a {{ from.domain }}"})
    assert answer["argv"] == ["two words; $(reboot) `x` 'q'", "--from=ann@example.org"]
    assert answer["stdin"].encode() == b"Delivered-To: bob@example.com\r\n" + raw
    assert answer["cwd"] == str(tmp_path / "files")
    env = answer["env"]
    assert "POSTROOM_SECRET" not in env
    assert env["POSTROOM_KEY"] == "A" * 26
    assert env["POSTROOM_MAILBOX"] == "test"
    assert (env["SENDER"], env["RECIPIENT"]) == ("ann@example.org", "bob@example.com")
    assert env["LIST"] == "a example.org"


@pytest.mark.parametrize("subject", ["-rf /", "--output=/etc/passwd"])
def test_a_value_never_becomes_an_option_nor_a_second_argument(tmp_path: Path, subject: str) -> None:
    [argument] = told(tmp_path, "{{ subject }}", raw=testing.message(subject=subject))["argv"]
    assert not argument.startswith("-")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (0, None), (1, Temporary), (2, Temporary), (63, Temporary), (64, Permanent), (65, Permanent),
        (66, Permanent), (67, Permanent), (68, Permanent), (69, Permanent), (70, Permanent), (71, Temporary), (72, Temporary),
        (73, Permanent), (74, Permanent), (75, Temporary), (76, Permanent), (77, Permanent), (78, Permanent),
        (79, Temporary), (126, Temporary), (127, Temporary), (255, Temporary),
    ],
)  # fmt: skip
def test_the_exit_status_says_whether_a_later_try_may_help(
    tmp_path: Path, status: int, error: type[PostroomError] | None
) -> None:
    if error is None:
        assert perform(tmp_path, "/bin/sh", "-c", f"exit {status}").detail
        return
    with pytest.raises(error):
        perform(tmp_path, "/bin/sh", "-c", f"exit {status}")


def test_a_signal_is_temporary(tmp_path: Path) -> None:
    with pytest.raises(Temporary, match="signal"):
        perform(tmp_path, "/bin/sh", "-c", "kill -9 $$")


def test_a_program_that_is_not_there_is_temporary_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(Temporary, match="cannot be started"):
        perform(tmp_path, "/no/such/program")


def test_the_time_limit_is_temporary(tmp_path: Path) -> None:
    with pytest.raises(Temporary, match="too long"):
        perform(tmp_path, "/bin/sleep", "1000", timeout="0.2s")


def test_more_memory_than_allowed_is_not_to_be_had(tmp_path: Path) -> None:
    hungry = (sys.executable, "-c", "bytearray(1 << 30)")
    with pytest.raises(Temporary):
        perform(tmp_path, *hungry, memory="300MB")


def test_errors_hold_nothing_that_the_program_said(tmp_path: Path) -> None:
    with pytest.raises(Permanent) as caught:
        perform(tmp_path, "/bin/sh", "-c", "cat; cat >&2; exit 65", raw=testing.message(subject="secret"))
    assert "secret" not in str(caught.value)
    assert "65" in str(caught.value)


def test_a_program_is_recorded_before_it_starts_and_delivers_only_where_it_says_so(tmp_path: Path) -> None:
    made = planned(tmp_path, "/bin/true")
    assert not made.repeatable
    assert not made.delivers
    assert made.target == "/bin/true"
    assert planned(tmp_path, "/bin/true", delivers=True).delivers


@pytest.mark.parametrize(
    "options",
    [
        {"command": []}, {"command": "/bin/true; reboot"}, {"command": ["/bin/true"], "timeout": "0s"},
        {"command": ["/bin/true"], "memory": 5}, {"command": ["/bin/true"], "env": {"A-B": "x"}},
        {"command": ["/bin/true"], "env": {"A=B": "x"}}, {"command": ["/bin/true"], "shell": True},
    ],
    ids=["nothing", "a line for a shell", "no time", "no memory", "a dash", "an equals sign", "a shell"],
)  # fmt: skip
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        steps.step("exec").model_validate(options)


def test_a_directory_that_cannot_be_made_is_temporary(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("")
    with pytest.raises(Temporary, match="files"):
        perform(tmp_path, "/bin/true")
    assert os.path.isfile(tmp_path / "files")
