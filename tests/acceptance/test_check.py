"""`postroom check`, `schema` and `init` as commands."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

GOOD = 'mailboxes: {stdin: {url: "stdin:", pipeline: main, store: mail, state: state}}\n'


def postroom(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if key != "POSTROOM_CONFIG"}
    return subprocess.run(
        [sys.executable, "-m", "postroom", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**clean, "HOME": str(cwd), **environment},
        timeout=120,
        check=False,
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "postroom.yaml").write_text(GOOD)
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines/main.yaml").write_text("rules:\n  - name: all\n    do: keep\n")
    return tmp_path


def test_a_good_configuration_is_summed_up(place: Path) -> None:
    done = postroom("check", cwd=place)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "postroom.yaml is good: 1 mailbox, 1 pipeline, 1 rule",
        "  mailbox stdin goes through main",
        "  pipeline main: 1 rule",
    ]


def test_every_problem_is_told_with_its_place_and_the_status_is_78(place: Path) -> None:
    (place / "postroom.yaml").write_text(GOOD + "hots: a\n")
    (place / "pipelines/main.yaml").write_text("rules:\n  - name: all\n    do: kep\n")
    done = postroom("check", cwd=place)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.splitlines() == [
        "pipelines/main.yaml:3:9: rules[0].do: unknown step `kep`; did you mean `keep`?",
        "postroom.yaml:2:1: hots: unknown key `hots`; did you mean `host`?",
        "2 problems",
    ]


def test_json_is_for_programs(place: Path) -> None:
    (place / "postroom.yaml").write_text(GOOD + "hots: a\n")
    done = postroom("check", "--json", cwd=place)
    assert done.returncode == 78
    (problem,) = json.loads(done.stdout)["problems"]
    assert problem == {
        "file": "postroom.yaml",
        "line": 2,
        "column": 1,
        "path": ["hots"],
        "text": "unknown key `hots`; did you mean `host`?",
    }


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        pytest.param(["check"], {}, id="none found"),
        pytest.param(["check", "--config", "no.yaml"], {}, id="not there"),
        pytest.param(["check"], {"POSTROOM_CONFIG": "no.yaml"}, id="the environment's is not there"),
    ],
)
def test_without_a_configuration_one_sentence_names_the_remedy(
    tmp_path: Path, arguments: list[str], environment: dict[str, str]
) -> None:
    done = postroom(*arguments, cwd=tmp_path, **environment)
    assert done.returncode == 78
    first, *_ = done.stderr.splitlines()
    assert "`postroom init DIR` makes one" in first
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ["a: [", "\x00", "- 1", "a: &a [*a]", "mailboxes: 5", "pipelines: /dev/null\n"])
def test_no_file_makes_a_traceback(place: Path, text: str) -> None:
    (place / "postroom.yaml").write_text(text)
    done = postroom("check", cwd=place)
    assert done.returncode == 78
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("setting", ["ledger: {pasword: hunter2x}", "ledger: {password: [hunter2x]}"])
@pytest.mark.parametrize("command", ["check", "filter", "explain"])
def test_no_command_shows_a_password(place: Path, setting: str, command: str) -> None:
    (place / "postroom.yaml").write_text(GOOD + setting)
    arguments = ["message.eml"] if command == "explain" else []
    done = postroom(command, *arguments, cwd=place)
    assert done.returncode in {75, 78}
    assert "must be text" in done.stderr or "unknown key" in done.stderr
    assert "hunter2x" not in done.stdout + done.stderr


def test_the_schemas_are_printed(tmp_path: Path) -> None:
    settings, pipeline = (postroom("schema", *one, cwd=tmp_path) for one in ([], ["pipeline"]))
    assert "mailboxes" in json.loads(settings.stdout)["properties"]
    assert "rules" in json.loads(pipeline.stdout)["properties"]


def test_what_init_copies_passes_check_and_is_private(tmp_path: Path) -> None:
    assert postroom("init", "site", cwd=tmp_path).returncode == 0
    checked = postroom("check", "--config", "site/config/postroom.yaml", cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
    modes = {name: stat.S_IMODE((tmp_path / "site" / name).stat().st_mode) for name in ("config/postroom.yaml", "var")}
    assert modes == {"config/postroom.yaml": 0o600, "var": 0o700}
    assert (tmp_path / "site/config/postroom.schema.json").is_file()


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/postroom.yaml").write_text("mine")
    done = postroom("init", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "is there already" in done.stderr
    assert (tmp_path / "config/postroom.yaml").read_text() == "mine"
    assert not (tmp_path / "pipelines").exists()


def test_init_says_in_one_line_why_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = postroom("init", "file/site", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "name a directory" in done.stderr
