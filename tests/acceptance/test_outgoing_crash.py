"""The service is killed at random moments while it forwards and posts: each message at least once, and never again once
the ledger has recorded that it went. Where the operator wants no second try (`uncertain: hold`), at most once.

Each kill hits work: new messages come before it, and the first of them has reached its server. That server asks the
ledger at this very moment whether the effect is recorded as done. A seed that failed is worth keeping: it is printed.
"""

import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from acceptance.processes import SHARED, Records, Running, command
from maildirs import put
from postroom.ledger import State
from postroom.ledger.database import Connection, connect
from postroom.ledger.statements import sql
from servers import smtp, web
from servers.dovecot import PASSWORD, Dovecot
from servers.postgresql import Database
from servers.redis import Redis
from waiting import until

KILLS = 6
WAIT = timedelta(seconds=30)
BATCH = 15  # messages before each
SETTINGS = """\
state: state
pipelines: pipelines
host: test.example
logs: {{level: warning}}
metrics: {{listen: none}}
spool: {{min-free: 0}}
retry: {{first: 1s, most: 2s, crashes: 50}}
servers:
  again: {{url: "smtp://127.0.0.1:{again}", tls: off}}
  once: {{url: "smtp://127.0.0.1:{once}", tls: off, uncertain: hold}}
{more}
mailboxes:
  box: {{pipeline: main, start: all, {box}}}
"""
IMAP = 'url: "imap://127.0.0.1:{port}", user: {user}, password: {password}, tls: off'
PIPELINE = """\
name: main
rules:
  - {{name: again, when: {{subject: again}}, do: [{{forward: {{to: bob@example.net, server: again, on-dmarc-fail: send}}}}]}}
  - {{name: once, when: {{subject: once}}, do: [{{forward: {{to: bob@example.net, server: once, on-dmarc-fail: send}}}}]}}
  - {{name: post, when: {{subject: post}}, do: [{{webhook: {{url: "{url}", allow-private: true}}}}]}}
"""
WAYS = ("again", "once", "post")


class Witness:
    """Sees the effects that come, by their keys. `repeated`: those that were recorded as done before. `came`: set with
    each. `answers`: nobody hears that it has come while this is not set."""

    def __init__(self, ledger: str, seed: int) -> None:
        self._ledger = ledger
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self.seen: Counter[str] = Counter()
        self.repeated: list[str] = []
        self.came, self.answers = threading.Event(), threading.Event()
        self.answers.set()

    def mail(self, received: smtp.Received) -> None:
        found = re.match(rb"Received: by test\.example \(Postroom\) id ([0-9a-z]+);", received.content)
        assert found is not None, received.content
        self._saw(found[1].decode())

    def post(self, request: web.Request) -> None:
        self._saw(request.headers["webhook-id"])

    def _saw(self, key: str) -> None:
        with asking(self._ledger) as ledger:
            found = ledger.row(sql("SELECT state FROM effect WHERE key = :key"), key=key)
        with self._lock:
            self.seen[key] += 1
            if found is not None and found["state"] == "done":
                self.repeated.append(key)
            slow = self._chance.uniform(0, 0.03)
        self.came.set()
        self.answers.wait(60)
        # What is under way when the kill comes is what this is about.
        threading.Event().wait(slow)


@contextmanager
def asking(url: str) -> Iterator[Connection]:
    with closing(connect(url, password=None, create=False, wait=WAIT)) as ledger, ledger.reading() as reading:
        yield reading


class Ending(Records):
    """When it has come, and how."""

    @property
    def has_come(self) -> bool:
        rows = self.rows()
        return len(rows) >= KILLS * BATCH and all(row.state in (State.SETTLED, State.DEAD) for row in rows)

    def hurry(self) -> None:
        """As if a minute had passed, after which rings that were lost with a process are made up for, and servers that
        were busy are tried again."""
        with closing(connect(self.url, password=None, create=False, wait=WAIT)) as ledger, ledger.writing() as writing:
            writing.run(sql("UPDATE message SET rung_at = 0, next_try_at = 0 WHERE state IN ('received', 'planned')"))
            writing.run(sql("UPDATE effect SET next_try_at = 0 WHERE state = 'pending'"))

    def effects(self, word: str) -> list[tuple[str, str, bool, str]]:
        """Key, state, whether nobody knows, and detail."""
        asked = sql("SELECT key, state, uncertain, detail FROM effect WHERE word = :word")
        with asking(self.url) as ledger:
            found = ledger.rows(asked, word=word)
        return [(row["key"], row["state"], bool(row["uncertain"]), row["detail"]) for row in found]


def survive(
    processes: Sequence[Running], deliver: Callable[[list[bytes]], None], witness: Witness, ending: Ending, seed: int
) -> None:
    """Bring messages, kill one process while they go out, start it again; then wait for the end of all."""
    chance = random.Random(seed)
    for process in processes:
        process.start()
    for number in range(KILLS):
        victim = chance.choice(processes)
        witness.came.clear()
        if number == 0:  # one kill hits what is under way for certain: its server has not answered yet
            victim = processes[-1]
            witness.answers.clear()
        deliver([letter(number * BATCH + one) for one in range(BATCH)])
        assert witness.came.wait(60), f"seed {seed}: nothing goes out"
        threading.Event().wait(chance.uniform(0, 0.25))
        assert not [one for one in processes if one.ended], "nothing ends by itself"
        victim.kill()
        witness.answers.set()
        victim.start()
    until(lambda: ending.has_come or ending.hurry(), 120, lambda: f"seed {seed}: {ending.standing()}", 1)


def letter(number: int) -> bytes:
    return (
        f"From: a@b.example\r\nTo: you@example.com\r\nSubject: {WAYS[number % 3]}\r\n"
        f"Message-ID: <{number}@b.example>\r\nDate: Sun, 01 Mar 2026 12:00:00 +0000\r\n\r\n{number}\r\n"
    ).encode()


def check(witness: Witness, ending: Ending) -> None:
    each = KILLS * BATCH // 3
    assert witness.repeated == [], "what the ledger recorded went out again"
    posts = ending.effects("webhook")
    assert [state for _, state, _, _ in posts] == ["done"] * each
    forwards = ending.effects("forward")
    again = [(key, state) for key, state, _, detail in forwards if '"again"' in detail]
    once = [(key, state, uncertain) for key, state, uncertain, detail in forwards if '"once"' in detail]
    assert [state for _, state in again] == ["done"] * each
    assert all(witness.seen[key] >= 1 for key, *_ in (*posts, *again))
    # Held where nobody knows, and then it went once or not at all.
    assert len(once) == each
    assert all(state == "done" or uncertain for _, state, uncertain in once)
    assert all(witness.seen[key] == 1 for key, state, _ in once if state == "done")
    assert all(witness.seen[key] <= 1 for key, *_ in once)
    repeats = sum(witness.seen[key] - 1 for key, *_ in (*posts, *again))
    held = sum(state == "dead" for _, state, _ in once)
    assert repeats + held > 0, "no kill came while anything was under way"


@pytest.fixture
def site(tmp_path: Path, stack: ExitStack) -> Callable[..., Witness]:
    """Writes the files of a site beside servers whose witness asks its ledger."""

    def make(ledger: str, seed: int, box: str, more: str = "") -> Witness:
        witness = Witness(ledger, seed)
        again = stack.enter_context(smtp.serving(hold=witness.mail))
        once = stack.enter_context(smtp.serving(hold=witness.mail))
        hook = stack.enter_context(web.serving())
        hook.hold = witness.post
        settings = SETTINGS.format(again=again.port, once=once.port, box=box, more=more)
        (tmp_path / "postroom.yaml").write_text(settings)
        (tmp_path / "pipelines").mkdir()
        (tmp_path / "pipelines/main.yaml").write_text(PIPELINE.format(url=hook.url()))
        return witness

    return make


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [20261125])
def test_run_killed_while_messages_go_out_loses_none_and_repeats_nothing_that_is_recorded(
    tmp_path: Path, dovecot: Dovecot, user: str, site: Callable[..., Witness], stack: ExitStack, seed: int
) -> None:
    ending = Ending(f"sqlite:///{tmp_path}/state/ledger.db")
    witness = site(ending.url, seed, IMAP.format(port=dovecot.imap, user=user, password=PASSWORD))
    service = Running(command("run", tmp_path), tmp_path, tmp_path / "log")
    stack.callback(service.stop)
    survive([service], lambda messages: dovecot.append(user, *messages), witness, ending, seed)
    check(witness, ending)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [20261125])
def test_watch_and_work_killed_while_messages_go_out_lose_none_and_repeat_nothing_that_is_recorded(
    tmp_path: Path, postgresql: Database, redis: Redis, site: Callable[..., Witness], stack: ExitStack, seed: int
) -> None:
    ending = Ending(postgresql())
    mailbox, names = tmp_path / "mailbox", count(1)
    more = SHARED.format(ledger=ending.url, queue=redis.url)
    witness = site(ending.url, seed, f'url: "maildir:{mailbox}"', more)
    processes = [Running(command(name, tmp_path), tmp_path, tmp_path / "log") for name in ("watch", "work")]
    for process in processes:
        stack.callback(process.stop)

    def deliver(messages: list[bytes]) -> None:
        for message in messages:
            put(mailbox, f"{next(names)}.test", message)

    survive(processes, deliver, witness, ending, seed)
    check(witness, ending)
