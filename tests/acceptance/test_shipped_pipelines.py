"""Every pipeline that is shipped passes `postroom check` and the tests inside it."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from postroom import trial
from postroom.pipeline.pipeline import Rule
from postroom.settings import Loaded, load_pipeline

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "pipelines").glob("*.yaml"))
SETTINGS = ROOT / "config" / "postroom.yaml"


def postroom(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "postroom", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)


def test_those_that_were_promised_are_there() -> None:
    promised = {"quickstart", "spam", "invoices", "mailing-lists", "procmail-style"}
    assert promised <= {path.stem for path in SHIPPED}


def test_all_of_them_pass_check() -> None:
    done = postroom("check", "--config", str(SETTINGS))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_tests_inside_pass(path: Path) -> None:
    done = postroom("test", str(path), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    verdicts = json.loads(done.stdout)
    assert len(verdicts) >= 3
    assert all(verdict["passed"] and verdict["pipeline"] == path.stem for verdict in verdicts)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_editors_find_the_schema(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=../config/pipeline.schema.json"
    assert (path.parent / first.partition("=")[2]).is_file()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_without_any_one_rule_that_acts_a_test_inside_fails(path: Path) -> None:
    loaded = load_pipeline(str(path))
    for rule in loaded.file.pipeline.rules:
        if any(step.kind != "scan" for step in rule.do):
            assert not all(verdict.passed for verdict in trial.run(without(rule, loaded))), rule.name


def without(rule: Rule, loaded: Loaded) -> Loaded:
    pipeline = loaded.file.pipeline
    left = replace(pipeline, rules=tuple(one for one in pipeline.rules if one is not rule))
    file = replace(loaded.file, pipeline=left)
    return replace(loaded, file=file, files={**loaded.files, pipeline.name: file})
