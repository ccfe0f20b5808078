import json
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from postroom import steps, testing
from postroom.errors import Temporary
from postroom.pipeline.outcome import Fact, Note, Outcome
from postroom.pipeline.pipeline import Pipeline, Rule
from postroom.pipeline.planner import plan
from postroom.pipeline.step import Step
from postroom.pipeline.view import Envelope, Facts
from waiting import until

TELL = """
import json, os, sys
stdin = sys.stdin.buffer.read().decode("latin-1")
print(json.dumps({"argv": sys.argv[1:], "env": dict(os.environ), "stdin": stdin, "cwd": os.getcwd()}))
"""


def script(code: str, *arguments: str, **options: Any) -> Step:
    command = [sys.executable, "-c", code, *arguments]
    return steps.step("script").model_validate({"name": "s", "command": command, **options})


def planned(tmp_path: Path, step: Step, raw: bytes | None = None, **view: Any) -> list[Outcome]:
    return [*step.plan(testing.view(raw, **view), testing.tools(tmp_path))]


def answer(tmp_path: Path, step: Step, raw: bytes | None = None, **view: Any) -> Any:
    [fact] = planned(tmp_path, step, raw, **view)
    assert isinstance(fact, Fact)
    return fact.facts.script["s"]


def test_the_program_gets_the_message_and_answers_facts(tmp_path: Path) -> None:
    raw = b"Subject: \xff\r\n\r\n\x00 body without an end"
    told = answer(tmp_path, script(TELL, "{{ mailbox }}", "--flag"), raw, mailbox="m")
    assert told["stdin"].encode("latin-1") == raw
    assert told["argv"] == ["m", "--flag"]
    assert told["cwd"] == str(tmp_path / "files")


def test_the_environment_is_ours_and_says_which_message_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    envelope = Envelope(sender="a@b.example", recipients=("c@d.example", "e@f.example"))
    env = answer(tmp_path, script(TELL), key="the-key", mailbox="m", envelope=envelope)["env"]
    assert "SECRET" not in env
    assert (env["POSTROOM_KEY"], env["POSTROOM_MAILBOX"]) == ("the-key", "m")
    assert (env["SENDER"], env["RECIPIENT"]) == ("a@b.example", "c@d.example")


def test_a_senders_text_is_one_argument_and_no_option(tmp_path: Path) -> None:
    raw = testing.message(subject="--eval; rm -rf $(HOME) 'x' \"y\"")
    [subject] = answer(tmp_path, script(TELL, "{{ subject }}"), raw)["argv"]
    assert not subject.startswith("-")
    assert "rm -rf $(HOME) 'x' \"y\"" in subject


BROKEN = {
    "exit status": "import sys; print('{}'); sys.exit(1)",
    "not JSON": "print('hello')",
    "nothing": "",
    "no object": "print('[1]')",
    "two objects": "print('{}{}')",
    "not a number": "print('{\"a\": NaN}')",
    "a number without end": "print('{\"a\": 1e999}')",
    "half a character": 'print(\'{"a": "\\\\ud800"}\')',
    "nested": "print('{\"a\":' + '[' * 30 + ']' * 30 + '}')",
    "nested without end": "print('{\"a\":' + '[' * 30000 + ']' * 30000 + '}')",
    "too long": "print('{\"a\": \"' + 'x' * 65536 + '\"}')",
    "a signal": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "too much memory": "x = 'x' * 900_000_000; print('{}')",
    "flood": "import sys\nwhile True: sys.stdout.write('x' * 65536)",
    "sleeps": "import time; time.sleep(60)",
}


@pytest.mark.parametrize("what", BROKEN)
def test_an_answer_that_is_none_makes_the_message_wait(tmp_path: Path, what: str) -> None:
    options = {"timeout": "1s"} if what in ("flood", "sleeps") else {"timeout": "30s"}
    with pytest.raises(Temporary):
        planned(tmp_path, script(BROKEN[what], **options))


@pytest.mark.parametrize("what", ["exit status", "not JSON", "too long", "sleeps"])
def test_or_the_message_goes_on_without_it(tmp_path: Path, what: str) -> None:
    [note] = planned(tmp_path, script(BROKEN[what], timeout="1s", **{"on-error": "pass"}))
    assert isinstance(note, Note)
    assert note.text.startswith("script s: ")


def test_a_program_that_does_not_exist_makes_the_message_wait(tmp_path: Path) -> None:
    step = steps.step("script").model_validate({"name": "s", "command": ["/nonexistent/program"]})
    with pytest.raises(Temporary, match="cannot be started"):
        planned(tmp_path, step)


def test_an_answer_of_the_longest_length_is_taken(tmp_path: Path) -> None:
    code = "import sys; sys.stdin.read(); sys.stdout.write('{\"a\": \"' + 'x' * (65536 - 9) + '\"}')"
    assert len(answer(tmp_path, script(code))["a"]) == 65536 - 9


def test_a_program_that_never_reads_still_answers(tmp_path: Path) -> None:
    assert answer(tmp_path, script("print('{\"a\": 1}')"), testing.message(text="x" * 3_000_000)) == {"a": 1}


def test_at_its_time_limit_what_it_started_is_killed_too(tmp_path: Path) -> None:
    command = ["/bin/sh", "-c", f"sleep 600 & echo $! > {tmp_path}/pid; wait"]
    step = steps.step("script").model_validate({"name": "s", "command": command, "timeout": "1s"})
    with pytest.raises(Temporary):
        planned(tmp_path, step)
    child = int((tmp_path / "pid").read_text())
    until(lambda: not running(child))


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_errors_hold_nothing_that_the_program_said(tmp_path: Path) -> None:
    with pytest.raises(Temporary) as caught:
        planned(tmp_path, script("print('secret words')"))
    assert "secret" not in str(caught.value) + repr(caught.value.__cause__)


def test_in_a_pipelines_own_test_it_never_runs(tmp_path: Path) -> None:
    step = script(f"open({str(tmp_path / 'ran')!r}, 'w'); print('{{}}')")
    rules = Pipeline(name="p", version="1", rules=(Rule(name="r", when=None, do=(step,)),))
    given = Facts.model_validate({"script": {"s": {"a": 1}, "other": {}}})
    made = plan({"p": rules}, "p", testing.view(), testing.tools(tmp_path, given=given))
    assert json.loads(made.facts.model_dump_json())["script"] == {"s": {"a": 1}}
    assert not (tmp_path / "ran").exists()


def test_check_knows_the_fact_by_its_name() -> None:
    assert script("").gives() == {"script.s"}


@pytest.mark.parametrize(
    "options",
    [
        {"name": "a b"},
        {"name": ""},
        {"command": []},
        {"command": ["{{ nobody }}"]},
        {"timeout": "0s"},
        {"timeout": "10"},
        {"memory": "1"},
        {"on-error": "hope"},
    ],
    ids=lambda options: "{}={}".format(*next(iter(options.items()))),
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        script("", **options)
