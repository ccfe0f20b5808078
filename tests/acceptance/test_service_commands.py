"""`backfill`, `resume`, a broken reload, and a second watcher, all against the running service."""

import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from acceptance.conftest import Site
from servers.dovecot import PASSWORD, Dovecot
from servers.redis import Redis

SETTINGS = """\
state: state
pipelines: pipelines
metrics: {{listen: none}}
{more}
mailboxes:
  box: {{url: "imap://127.0.0.1:{port}", user: {user}, password: {password}, tls: off, pipeline: main}}
"""
PIPELINE = """\
name: main
rules:
  - {name: all, do: {move: Done}}
"""


@pytest.fixture
def account(site: Site, dovecot: Dovecot, user: str) -> str:
    """A mailbox with five old messages."""
    user = f"commands{user}"
    dovecot.append(user, *(b"Subject: old %d\r\n\r\n" % number for number in range(5)))
    configured(site, dovecot, user)
    site.pipeline(PIPELINE)
    return user


def configured(site: Site, dovecot: Dovecot, user: str, more: str = "") -> None:
    site.settings(SETTINGS.format(port=dovecot.imap, user=user, password=PASSWORD, more=more))


@contextmanager
def serving(site: Site, command: str = "run") -> Iterator["subprocess.Popen[bytes]"]:
    with (site.root / "log").open("ab") as log:
        process = subprocess.Popen(site.command(command), cwd=site.root, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def until(site: Site, holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < end, (site.root / "log").read_text()[-3000:]
        time.sleep(0.05)


def rows(site: Site, sql: str) -> list[tuple[object, ...]]:
    try:
        return site.ledger(sql)
    except sqlite3.OperationalError:
        return []


def connected(site: Site) -> bool:
    return rows(site, "SELECT connected FROM watch") == [(1,)] and bool(rows(site, "SELECT * FROM cursor"))


def moved(site: Site) -> int:
    return len(rows(site, "SELECT id FROM message WHERE state = 'settled' AND outcome = 'moved'"))


def test_backfill_takes_old_mail_once_and_only_when_asked(site: Site, account: str) -> None:
    with serving(site):
        until(site, lambda: connected(site))
        counted = site.run("backfill", "box", "--dry-run")
        assert (counted.returncode, counted.stdout) == (0, b"INBOX: 5 old messages\n")
        assert rows(site, "SELECT id FROM message") == []
        taken = site.run("backfill", "box")
        assert (taken.returncode, taken.stdout) == (0, b"INBOX: 5 old messages, 5 of them taken\n")
        until(site, lambda: moved(site) == 5)
        again = site.run("backfill", "box")
        assert (again.returncode, again.stdout) == (0, b"INBOX: 0 old messages, 0 of them taken\n")


def test_backfill_without_effects_only_makes_old_mail_known(site: Site, account: str, dovecot: Dovecot) -> None:
    with serving(site):
        until(site, lambda: connected(site))
        assert site.run("backfill", "box", "--no-effects").returncode == 0
        dovecot.append(account, b"Subject: new\r\n\r\n")
        until(site, lambda: moved(site) == 1)
    assert rows(site, "SELECT count(*) FROM message WHERE outcome = 'kept' AND plan IS NULL") == [(5,)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("backfill", "nobody"), b"no IMAP mailbox is called `nobody`; there are: box"),
        (("backfill", "box", "--folder", "Else"), b"`Else` is not among the folders that `box` watches: INBOX"),
        (("resume", "box", "--take"), b"`box` has not paused; paused are: none"),
        (("resume", "nobody", "--take"), b"no mailbox is called `nobody`; there are: box"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(site: Site, account: str, arguments: tuple[str, ...], said: bytes) -> None:
    done = site.run(*arguments)
    assert (done.returncode, done.stderr) == (1, b"postroom: " + said + b"\n")


def test_resuming_without_a_decision_is_a_wrong_command_line(site: Site, account: str) -> None:
    done = site.run("resume", "box")
    assert (done.returncode, b"say either --take or --skip" in done.stderr) == (2, True)


def test_a_broken_new_file_keeps_the_old_configuration_running(site: Site, account: str, dovecot: Dovecot) -> None:
    with serving(site) as process:
        until(site, lambda: connected(site))
        site.pipeline("name: main\nrules: [{name: a, do: {mvoe: X}}]\n")
        process.send_signal(signal.SIGHUP)
        until(site, lambda: "config.refused" in (site.root / "log").read_text())
        dovecot.append(account, b"Subject: new\r\n\r\n")
        until(site, lambda: moved(site) == 1)
    [refused] = [line for line in (site.root / "log").read_text().splitlines() if "config.refused" in line]
    assert "mvoe" in json.loads(refused)["reason"]


def test_a_second_watcher_waits_for_the_first_ones_lease_and_takes_over(
    site: Site, account: str, dovecot: Dovecot, redis: Redis
) -> None:
    configured(site, dovecot, account, more=f'queue: {{url: "{redis.url}"}}')
    with serving(site, "work"), serving(site, "watch") as first:
        until(site, lambda: connected(site))
        [owner] = rows(site, "SELECT owner FROM lease WHERE name = 'mailbox box'")
        with serving(site, "watch"):
            dovecot.append(account, b"Subject: one\r\n\r\n")
            until(site, lambda: moved(site) == 1)
            assert rows(site, "SELECT owner FROM lease WHERE name = 'mailbox box'") == [owner]
            # Nor does it tell of a mailbox that it does not watch.
            assert rows(site, "SELECT owner, connected FROM watch") == [(*owner, 1)]
            first.kill()
            first.wait()
            dovecot.append(account, b"Subject: two\r\n\r\n")
            until(site, lambda: moved(site) == 2)
            assert rows(site, "SELECT owner FROM lease WHERE name = 'mailbox box'") != [owner]


def test_watch_and_work_refuse_a_queue_that_nobody_else_can_reach(site: Site, account: str) -> None:
    for command in ("watch", "work"):
        done = site.run(command)
        assert done.returncode == 1
        assert b"memory://" in done.stderr


def test_a_broker_that_is_away_at_the_start_is_waited_for(
    site: Site, account: str, dovecot: Dovecot, redis: Redis
) -> None:
    configured(site, dovecot, account, more=f'queue: {{url: "{redis.url}"}}')
    redis.kill()
    with serving(site, "work") as worker, serving(site, "watch") as watcher:
        until(site, lambda: connected(site))
        redis.start()
        dovecot.append(account, b"Subject: one\r\n\r\n")
        until(site, lambda: moved(site) == 1)
        assert (worker.poll(), watcher.poll()) == (None, None)
