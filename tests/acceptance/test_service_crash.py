"""The service is killed at random moments, twenty times, while it works on 300 messages of a real IMAP server.

Afterwards every message is in exactly one final state and was filed once, and what others had marked for deletion is
still there. A seed that failed is worth keeping: it is printed.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from acceptance.processes import SHARED, Records, Running, command
from postroom.ledger import State
from servers.dovecot import PASSWORD, Dovecot
from servers.postgresql import Database
from servers.redis import Redis

MESSAGES = 300
KILLS = 20
SETTINGS = """\
state: state
pipelines: pipelines
logs: {{level: warning}}
metrics: {{listen: none}}
spool: {{min-free: 0, inline: 1KiB}}
limits: {{in-flight: 40}}
retry: {{first: 1s, most: 2s, crashes: 50}}
{more}
mailboxes:
  box:
    url: imap://127.0.0.1:{port}
    user: {user}
    password: {password}
    tls: off
    pipeline: main
    start: all
"""
PIPELINE = """\
name: main
rules:
  - name: File
    do: {file: {to: filed/}}
  - name: Move
    when: {subject: "*even*"}
    do: {move: Done}
  - name: Mark
    when: {subject: "*odd*"}
    do: {flag: $Seen2}
"""


@pytest.fixture
def mailbox(dovecot: Dovecot, user: str) -> str:
    """300 messages, some of them larger than what lies in the ledger, and five that somebody else wants deleted."""
    user = f"crash{user}"
    messages = [
        f"From: a@b.example\r\nSubject: {'even' if number % 2 == 0 else 'odd'} {number}\r\n"
        f"Message-ID: <{number}@b.example>\r\n\r\n{'x' * (number % 7 * 400)}\r\n".encode()
        for number in range(MESSAGES)
    ]
    dovecot.append(user, *messages)
    deleted = [b"Subject: not ours\r\nMessage-ID: <foreign-%d@b.example>\r\n\r\n\r\n" % number for number in range(5)]
    dovecot.append(user, *deleted, flags=r"(\Deleted)")
    return user


def survive(processes: Sequence[Running | Redis], finished: "Finished", seed: int) -> None:
    """Kill one at a random moment, start it again, until there were so many and everything is done."""
    chance = random.Random(seed)
    for process in processes:
        if isinstance(process, Running):
            process.start()
    kills = 0
    end = time.monotonic() + 240
    while kills < KILLS or not finished():
        assert time.monotonic() < end, f"seed {seed}: {finished.standing()}"
        threading.Event().wait(chance.uniform(0.05, 1.5) if kills < KILLS else 0.2)
        assert not [one for one in processes if isinstance(one, Running) and one.ended], "nothing ends by itself"
        if kills < KILLS:
            victim = chance.choice(list(processes))
            victim.kill()
            victim.start()
            kills += 1


class Finished(Records):
    """Whether it has."""

    def __call__(self) -> bool:
        rows = self.rows()
        return len(rows) >= MESSAGES and all(row.state is State.SETTLED for row in rows)


def check(root: Path, finished: Finished, dovecot: Dovecot, user: str) -> None:
    outcomes = Counter(row.outcome for row in finished.rows())
    # What was filed elsewhere and not moved is left on the server; the foreign five are messages like others.
    assert outcomes == {"moved": MESSAGES // 2, "gone": MESSAGES // 2 + 5}
    filed = [path.read_bytes() for sub in ("new", "cur") for path in (root / "state/files/filed" / sub).iterdir()]
    names = Counter(line for message in filed for line in message.splitlines() if line.startswith(b"Message-ID:"))
    assert len(names) == MESSAGES + 5
    # Filing derives its file's name from the message: a second try found the first one's work.
    assert set(names.values()) == {1}
    with dovecot.client(user) as client:
        assert len(client.search(None, "ALL")[1][0].split()) == MESSAGES // 2 + 5
        assert len(client.search(None, "DELETED")[1][0].split()) == 5
        assert len(client.search(None, "KEYWORD", "$Seen2")[1][0].split()) == MESSAGES // 2
        client.select("Done")
        found = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]
        moved = Counter(part[1].strip() for part in found if isinstance(part, tuple))
        assert len(moved) == MESSAGES // 2
        assert set(moved.values()) == {1}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [20261125])
def test_run_killed_at_random_moments_loses_nothing_and_repeats_nothing(
    tmp_path: Path, dovecot: Dovecot, mailbox: str, stack: ExitStack, seed: int
) -> None:
    text = SETTINGS.format(port=dovecot.imap, user=mailbox, password=PASSWORD, more="")
    prepare(tmp_path, text)
    service = Running(command("run", tmp_path), tmp_path, tmp_path / "log")
    stack.callback(service.stop)
    finished = Finished(f"sqlite:///{tmp_path}/state/ledger.db")
    survive([service], finished, seed)
    check(tmp_path, finished, dovecot, mailbox)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [20261125])
def test_watch_work_and_redis_killed_at_random_moments_lose_nothing_and_repeat_nothing(
    tmp_path: Path, dovecot: Dovecot, mailbox: str, postgresql: Database, redis: Redis, stack: ExitStack, seed: int
) -> None:
    url = postgresql()
    text = SETTINGS.format(
        port=dovecot.imap, user=mailbox, password=PASSWORD, more=SHARED.format(ledger=url, queue=redis.url)
    )
    prepare(tmp_path, text)
    watcher = Running(command("watch", tmp_path), tmp_path, tmp_path / "log")
    worker = Running(command("work", tmp_path), tmp_path, tmp_path / "log")
    stack.callback(watcher.stop)
    stack.callback(worker.stop)
    finished = Finished(url)
    survive([watcher, worker, redis], finished, seed)
    check(tmp_path, finished, dovecot, mailbox)


def prepare(root: Path, settings: str) -> None:
    (root / "postroom.yaml").write_text(settings)
    (root / "pipelines").mkdir()
    (root / "pipelines/main.yaml").write_text(PIPELINE)
