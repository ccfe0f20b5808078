"""`publish` to a Celery app that is not ours, on a Redis of its own."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from postroom import steps, testing
from postroom.errors import Permanent, Temporary, Uncertain
from postroom.pipeline.outcome import Effect, Receipt
from servers.redis import Redis
from servers.web import lying, silent
from waiting import until

APP = """
import json
from celery import Celery
app = Celery("crm", broker={url!r})
app.conf.task_default_queue = "mail"

@app.task(name="crm.incoming_mail", bind=True)
def incoming(self, mail):
    with open({told!r}, "w") as stream:
        json.dump([self.request.id, mail], stream)
"""


def perform(url: str, raw: bytes | None = None, **options: Any) -> Receipt:
    tools = testing.tools(secrets={"broker": lambda: url})
    given = {"task": "crm.incoming_mail", "secret": "broker", **options}
    [made] = steps.step("publish").model_validate(given).plan(testing.view(raw), tools)
    assert isinstance(made, Effect)
    assert url not in made.model_dump_json()
    return steps.effect(made.word).model_validate_json(made.model_dump_json()).perform(testing.letter(raw), tools)


@contextmanager
def working(directory: Path, url: str) -> Iterator[Path]:
    """A worker of the operator's app; the file into which its task writes."""
    told = directory / "told"
    (directory / "crm.py").write_text(APP.format(url=url, told=str(told)))
    command = [sys.executable, "-m", "celery", "-A", "crm", "worker", "--pool", "solo", "--loglevel", "ERROR"]
    worker = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield told
    finally:
        worker.kill()
        worker.wait()


def test_the_operators_task_gets_the_message(redis: Redis, tmp_path: Path) -> None:
    raw = testing.message(subject="Grüße", text="Hallo.\n", attachments=["a.pdf"])
    with working(tmp_path, redis.url) as told:
        assert perform(redis.url, raw, queue="mail").detail == "published"
        until(lambda: told.exists() and told.read_text().endswith("]"))
    number, mail = json.loads(told.read_text())
    assert number == "A" * 26
    assert (mail["message"]["subject"], mail["text"], mail["mailbox"]) == ("Grüße", "Hallo.\n", "test")


def test_a_broker_that_is_away_is_waited_for() -> None:
    with pytest.raises(Temporary, match="cannot be reached") as raised:
        perform("redis://:pa55word@127.0.0.1:1/0")
    assert "pa55word" not in str(raised.value)


def test_a_broker_that_says_nothing_ends_at_the_limit() -> None:
    with lying(silent) as port, pytest.raises((Temporary, Uncertain)):
        perform(f"redis://127.0.0.1:{port}/0", timeout="1s")


@pytest.mark.parametrize("url", ["nonsense://x/", "not a url", "redis://127.0.0.1:port/"])
def test_a_secret_that_is_no_broker_is_told_without_it(url: str) -> None:
    with pytest.raises((Permanent, Temporary)) as raised:
        perform(url)
    assert url not in str(raised.value)
