"""`postroom status`: mailboxes, queue and ledger at a glance."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from postroom.ledger import Arrival, Batch, Ledger, Owner, Watched
from servers.redis import Redis
from waiting import until

SETTINGS = """\
state: state
pipelines: pipelines
mailboxes:
  support: {url: "imaps://me@imap.example", password: x, pipeline: main}
  list: {url: "pop3s://me@pop.example", password: x, pipeline: main}
  local: {url: "lmtp://127.0.0.1:2424", store: mail, pipeline: main, recipients: [{to: "*"}]}
  stdin: {url: "stdin:", store: mail, pipeline: main, state: mine}
"""
NOW = datetime.now(UTC)


@pytest.fixture
def opened(site: Any) -> Callable[[], Any]:
    """The ledger of the site's service."""
    site.settings(SETTINGS)
    (site.root / "state").mkdir(mode=0o700)

    @contextmanager
    def opening() -> Iterator[Ledger]:
        ledger = Ledger.open(f"sqlite:///{site.root}/state/ledger.db")
        try:
            yield ledger
        finally:
            ledger.close()

    return opening


def seen(mailbox: str, owner: Owner, **more: Any) -> Watched:
    return Watched(mailbox=mailbox, owner=str(owner), **{"connected": True, "changed_at": NOW} | more)


def shown(site: Any) -> dict[str, Any]:
    done = site.run("status", "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def states(site: Any) -> dict[str, str]:
    return {each["mailbox"]: each["state"] for each in shown(site)["mailboxes"]}


def test_before_anything_ran_nobody_watches_and_standard_input_is_no_mailbox_to_watch(site: Any, opened: Any) -> None:
    assert states(site) == {"support": "not watched", "list": "not watched", "local": "not watched"}


def test_a_mailbox_is_shown_as_its_watcher_saw_it_last(site: Any, opened: Any) -> None:
    owner = Owner.current()
    with opened() as ledger:
        ledger.lease("mailbox support", owner, timedelta(minutes=5))
        ledger.tell([seen("support", owner, looked_at=NOW, reconnects=3), seen("local", owner)])
        assert states(site) == {"support": "connected", "list": "not watched", "local": "listening"}
        [support, *_] = shown(site)["mailboxes"]
    assert support["looked"] == NOW.isoformat()
    assert support["reconnects"] == 3


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({"connected": False}, "connecting"),
        ({"connected": False, "refused": "the server refused the login"}, "refused"),
        ({"paused": "101 messages are new after a change"}, "paused"),
    ],
)
def test_what_is_wrong_with_a_mailbox_is_a_word_and_a_sentence(
    site: Any, opened: Any, more: dict[str, Any], state: str
) -> None:
    owner = Owner.current()
    with opened() as ledger:
        ledger.lease("mailbox support", owner, timedelta(minutes=5))
        ledger.tell([seen("support", owner, **more)])
        [support, *_] = shown(site)["mailboxes"]
    assert support["state"] == state
    assert support["reason"] == (more.get("refused") or more.get("paused"))


def test_a_watcher_that_died_watches_nothing(site: Any, opened: Any) -> None:
    telling = (
        "from datetime import *; from postroom.ledger import *; import sys\n"
        "o = Owner.current(); l = Ledger.open(sys.argv[1]); l.lease('mailbox support', o, timedelta(minutes=5))\n"
        "l.tell([Watched(mailbox=m, owner=str(o), connected=True, changed_at=datetime.now(UTC))"
        " for m in ('support', 'local')])"
    )
    with opened():
        pass
    python = site.command("status")[0]
    subprocess.run([python, "-c", telling, f"sqlite:///{site.root}/state/ledger.db"], check=True, timeout=60)
    assert set(states(site).values()) == {"not watched"}


def test_messages_that_have_not_ended_are_counted_by_mailbox_and_state(site: Any, opened: Any) -> None:
    arrivals = tuple(
        Arrival(source_key=str(number), pipeline="main", received=NOW - timedelta(hours=3), content=b"Subject: x\n\n")
        for number in range(2)
    )
    with opened() as ledger:
        ledger.record("support", Batch(arrivals=arrivals))
    found = shown(site)
    assert found["messages"]["received"] == 2
    assert found["mailboxes"][0]["unsettled"] == 2
    assert found["mailboxes"][0]["oldest_seconds"] >= 3 * 3600
    assert (found["queue_length"], found["queue_error"]) == (None, None)
    assert found["spool_free_bytes"] > 0
    text = site.run("status").stdout.decode()
    assert "support\tnot watched\t\t\t2\t2\t3h\t0\t" in text
    assert "messages      2 received" in text
    assert "dead letters  none" in text


def test_a_queue_that_is_away_is_part_of_the_answer(site: Any, opened: Any) -> None:
    site.settings(SETTINGS + "queue: {url: 'redis://127.0.0.1:1/0'}\n")
    found = shown(site)
    assert found["queue_length"] is None
    assert "cannot be asked" in found["queue_error"]


def test_watching_the_status_goes_on_until_it_is_interrupted(site: Any, opened: Any, tmp_path: Path) -> None:
    command = site.command("status", "--json", "--watch")
    # Programs that a shell starts in the background leave it out.
    hears = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=hears) as process:  # noqa: PLW1509
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [json.loads(process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stderr.read() == b""
    assert lines[0]["time"] < lines[1]["time"]


def test_tasks_that_no_worker_takes_are_counted(
    site: Any, make_redis: Callable[..., AbstractContextManager[Redis]]
) -> None:
    new = site.root / "inbox/new"
    new.mkdir(parents=True)
    (new / "1.a.b").write_bytes(b"Subject: x\n\nhello\n")
    with make_redis() as redis:
        site.settings(
            f"state: state\npipelines: pipelines\nqueue: {{url: '{redis.url}'}}\nmetrics: {{listen: none}}\n"
            "mailboxes:\n  inbox: {url: 'maildir:inbox', pipeline: main, start: all}\n"
        )
        with subprocess.Popen(site.command("watch"), stderr=subprocess.PIPE) as watcher:
            try:
                until(lambda: shown(site)["queue_length"])
                found = shown(site)
                assert found["queue_length"] == 1
                assert found["messages"]["received"] == 1
                assert found["mailboxes"][0]["in_flight"] == 1
            finally:
                watcher.kill()
