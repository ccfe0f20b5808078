"""`postroom test`: what it prints, and how it ends."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

GOOD = "rules: [{name: r, when: {subject: x}, do: {move: X}}]\n"
PASSES = "tests: [{name: one, message: {subject: x}, expect: [move X]}]\n"
FAILS = "tests: [{name: one, message: {subject: x}, expect: [move Y]}]\n"


class Site(Protocol):
    root: Path

    def pipeline(self, text: str, name: str = "main") -> None: ...
    def command(self, *arguments: str) -> list[str]: ...
    def run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]: ...


def test_without_names_all_pipelines_of_the_settings_are_tested(site: Site) -> None:
    site.pipeline(GOOD + PASSES, "a")
    site.pipeline(GOOD + PASSES, "b")
    done = site.run("test")
    assert done.returncode == 0
    assert done.stdout.decode().splitlines() == ["ok      a 1: one", "ok      b 1: one", "2 tests, 0 failed"]


def test_a_failure_ends_with_1_and_shows_what_differs(site: Site) -> None:
    site.pipeline(GOOD + PASSES, "a")
    site.pipeline(GOOD + FAILS, "b")
    done = site.run("test")
    assert done.returncode == 1
    lines = done.stdout.decode().splitlines()
    assert lines[1:] == ["FAILED  b 1: one", "          - move Y", "          + move X", "2 tests, 1 failed"]


def test_only_those_that_are_named_are_tested(site: Site) -> None:
    site.pipeline(GOOD + PASSES, "a")
    site.pipeline(GOOD + FAILS, "b")
    assert site.run("test", "a").returncode == 0
    assert site.run("test", "b").returncode == 1
    assert site.run("test", "pipelines/a.yaml").returncode == 0


def test_programs_read_json(site: Site) -> None:
    site.pipeline(GOOD + FAILS)
    done = site.run("test", "main", "--json")
    [verdict] = json.loads(done.stdout)
    assert verdict == {
        "pipeline": "main",
        "number": 1,
        "name": "one",
        "passed": False,
        "diff": ["- move Y", "+ move X"],
    }


@pytest.mark.parametrize(
    "broken", [GOOD + "tests: [{expec: []}]\n", "rules: [{name: r, do: mve}]\n"], ids=["a test", "a rule"]
)
def test_what_is_written_wrongly_in_any_file_ends_with_78_and_its_places(site: Site, broken: str) -> None:
    for name in ("a", "b"):
        site.pipeline(broken, name)
    done = site.run("test", "a", "b")
    assert done.returncode == 78
    assert len(done.stderr.decode().splitlines()) == 2
    assert all(".yaml:" in line and "did you mean" in line for line in done.stderr.decode().splitlines())


def test_a_name_that_is_none_is_told(site: Site) -> None:
    site.pipeline(GOOD, "invoices")
    done = site.run("test", "invoice")
    assert done.returncode == 78
    assert "did you mean `invoices`" in done.stderr.decode()
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("path", "told"),
    [
        pytest.param("./nothing.yaml", "there is no such file `nothing.yaml`", id="missing"),
        pytest.param("./rules.yml", "rename it to rules.yaml", id="another ending"),
        pytest.param("pipelines/", "is a directory; name the file in it", id="directory"),
    ],
)
def test_a_path_that_leads_to_no_pipeline_is_told_with_the_remedy(site: Site, path: str, told: str) -> None:
    site.pipeline(GOOD)
    (site.root / "rules.yml").write_text(GOOD)
    done = site.run("test", path)
    assert (done.returncode, b"Traceback" in done.stderr) == (78, False)
    assert done.stderr.decode().rstrip().endswith(told)


def test_a_path_needs_no_settings(tmp_path: Path) -> None:
    alone = tmp_path / "p.yaml"
    alone.write_text(GOOD + PASSES)
    env = {"PATH": os.environ["PATH"], "HOME": str(alone.parent)}
    command = [sys.executable, "-m", "postroom", "test", str(alone)]
    done = subprocess.run(command, capture_output=True, cwd=alone.parent, env=env, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_nothing_is_written_and_nothing_runs(site: Site) -> None:
    site.pipeline(
        "rules: [{name: r, do: [{extract: x}, {file: y}, {exec: [/bin/touch, ran]}, {script: {name: s, command: [ls]}}]}]\n"
        "tests: [{message: {attachments: [a.pdf]}, expect: [extract x, file y, exec /bin/touch]}]\n"
    )
    before = set(site.root.rglob("*"))
    assert site.run("test", "main").returncode == 0
    assert set(site.root.rglob("*")) == before


def test_on_a_terminal_it_is_coloured_and_messages_are_no_markup(site: Site) -> None:
    site.pipeline(GOOD + "tests: [{name: '[bold]one[/bold]', expect: [move Y]}]\n")
    leader, follower = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    env.pop("NO_COLOR", None)
    with subprocess.Popen(site.command("test"), stdout=follower, stderr=follower, env=env) as process:
        os.close(follower)
        shown = b""
        while True:
            try:
                piece = os.read(leader, 65536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
    os.close(leader)
    assert process.returncode == 1
    assert b"[bold]one[/bold]" in shown
    assert b"\x1b[" in shown
