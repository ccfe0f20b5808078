"""`notify` through Apprise's own JSON service, to a server of ours."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from postroom import steps, testing
from postroom.errors import Problem, Temporary, Uncertain
from postroom.pipeline.outcome import Effect, Receipt
from postroom.settings.words import Words
from servers.web import Web, lying, serving, silent

# The library loads modules that Python 3.13 has no more.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as found:
        yield found


def perform(tmp_path: Path, url: str, raw: bytes | None = None, **options: Any) -> Receipt:
    tools = testing.tools(tmp_path, secrets={"bot": lambda: url})
    [made] = steps.step("notify").model_validate({"secret": "bot", **options}).plan(testing.view(raw), tools)
    assert isinstance(made, Effect)
    again = steps.effect(made.word).model_validate_json(made.model_dump_json())
    assert url not in made.model_dump_json()
    return again.perform(testing.letter(raw), tools)


def test_a_service_is_told_title_and_body(web: Web, tmp_path: Path) -> None:
    raw = testing.message(subject="Grüße <b>", from_="Ann <ann@example.org>")
    perform(tmp_path, f"json://127.0.0.1:{web.port}/x", raw, title="{{ subject }}", body="von {{ from.name }}\n*a*")
    told = json.loads(web.requests[0].body)
    assert (told["title"], told["message"]) == ("Grüße <b>", "von Ann\n*a*")


def test_without_a_body_it_says_who_wrote_about_what(web: Web, tmp_path: Path) -> None:
    perform(tmp_path, f"json://127.0.0.1:{web.port}/x")
    assert json.loads(web.requests[0].body)["message"] == "ann@example.org: Hello"


@pytest.mark.parametrize("status", [404, 429, 500])
def test_a_service_that_refuses_is_tried_again(web: Web, tmp_path: Path, status: int) -> None:
    web.answers = [(status, {})]
    with pytest.raises(Temporary, match="did not take"):
        perform(tmp_path, f"json://127.0.0.1:{web.port}/secret-token")


@pytest.mark.parametrize("url", ["nonsense", "json://127.0.0.1/a, json://127.0.0.1/b", "file:///etc/passwd"])
def test_a_secret_that_is_not_one_url_is_told_without_it(tmp_path: Path, url: str) -> None:
    with pytest.raises(Temporary, match="`bot` is not one URL") as raised:
        perform(tmp_path, url)
    assert url not in str(raised.value)


def test_a_service_that_does_not_answer_may_have_been_told(tmp_path: Path) -> None:
    with lying(silent) as port, pytest.raises(Uncertain):
        perform(tmp_path, f"json://127.0.0.1:{port}/x", timeout="1s")


def test_what_the_library_says_is_not_logged(web: Web, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    web.answers = [(500, {})]
    with caplog.at_level(logging.WARNING), pytest.raises(Temporary):
        perform(tmp_path, f"json://127.0.0.1:{web.port}/secret-token")
    assert caplog.records == []


def test_a_missing_library_is_an_error_of_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    wrong: list[Problem] = []
    Words().steps([{"notify": {"secret": "bot"}}], ("do",), wrong)
    assert [problem.text for problem in wrong] == [
        "needs the package `apprise`: install Postroom as `postroom[notify]`"
    ]
