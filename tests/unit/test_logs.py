"""Logs: a closed list of events and of fields, JSON where nobody looks at a terminal."""

import ast
import json
import logging
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast, get_args

import pytest

import postroom
from postroom.errors import Temporary
from postroom.logs import Event, Fields, Foreign, StandardError
from postroom.units import format_size

PACKAGE = Path(postroom.__file__).parent
WRITING = 'from postroom.logs import StandardError; StandardError().info("message.done", mailbox="inbox", message=17)'


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call of a log in the package, and where it stands."""
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr="info" | "warning", value=ast.Name(id=name))) if "log" in name:
                    yield f"{file.name}:{node.lineno}", node
                case ast.Call(func=ast.Attribute(attr="info" | "warning", value=ast.Attribute(attr=name))) if (
                    name.lstrip("_") == "log"
                ):
                    yield f"{file.name}:{node.lineno}", node


def test_every_line_of_the_log_has_a_known_event_and_known_fields() -> None:
    found = list(calls())
    assert len(found) > 20
    for where, call in found:
        assert call.args, where
        if isinstance(call.args[0], ast.Constant):
            assert call.args[0].value in get_args(Event), where
        fields = {keyword.arg for keyword in call.keywords}
        assert fields <= set(Fields.__annotations__), where


def test_every_event_that_is_declared_is_written_somewhere() -> None:
    texts = "\n".join(file.read_text(encoding="utf-8") for file in PACKAGE.rglob("*.py"))
    assert [event for event in get_args(Event) if texts.count(f'"{event}"') < 2] == []


def test_a_line_is_json_where_standard_error_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    StandardError().warning("effect.dead", message=17, word="file")
    written = json.loads(capsys.readouterr().err)
    assert written.pop("timestamp")
    assert written == {"event": "effect.dead", "level": "warning", "message": 17, "word": "file"}


def test_a_line_is_for_people_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"NO_COLOR": "1"}
    subprocess.run([sys.executable, "-c", WRITING], stderr=theirs, check=True, timeout=60, env=environment)
    os.close(theirs)
    line = os.read(ours, 4096).decode()
    os.close(ours)
    assert "message.done" in line
    assert "mailbox=inbox" in line
    assert not line.startswith("{")


def test_what_is_less_severe_than_asked_for_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    log = StandardError(level="error")
    log.info("service.started")
    log.warning("ledger.locked")
    assert capsys.readouterr().err == ""


def test_a_line_break_in_a_reason_makes_no_second_line(capsys: pytest.CaptureFixture[str]) -> None:
    StandardError().warning("config.refused", reason='bad\n{"event": "service.started"}')
    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "config.refused"


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    """One whose records go where those of libraries go."""
    logger, handler = logging.getLogger("somebody.else"), Foreign(StandardError())
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def test_what_a_library_says_is_a_line_of_ours_without_its_words(
    library: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    library.warning("the subject is %s", "Sunday")
    library.info("nobody asks")
    [line] = capsys.readouterr().err.splitlines()
    written = json.loads(line)
    assert written["event"] == "library.warned"
    assert written["reason"].startswith("somebody.else, test_logs.py:")
    assert "Sunday" not in line


def test_an_error_that_a_library_logs_shows_its_kind_and_place(
    library: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        raise ValueError("Sunday")
    except ValueError:
        library.exception("it failed")
    [line] = capsys.readouterr().err.splitlines()
    assert ": ValueError at test_logs.py:" in json.loads(line)["reason"]
    assert "Sunday" not in line


def test_a_warning_about_a_bug_of_ours_names_its_place_and_not_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        format_size(cast("int", "Sunday"))
    except TypeError as error:
        StandardError().warning("work.failed", reason=type(error).__name__)
    [line] = capsys.readouterr().err.splitlines()
    module, _, number = json.loads(line)["place"].rpartition(":")
    assert module == "postroom.units"
    assert int(number) > 0
    assert "Sunday" not in line


def test_a_warning_about_what_is_no_bug_names_no_place(capsys: pytest.CaptureFixture[str]) -> None:
    log = StandardError()
    log.warning("ledger.locked")
    try:
        raise Temporary("the ledger is locked")
    except Temporary:
        log.warning("ledger.locked")
    assert "place" not in capsys.readouterr().err
