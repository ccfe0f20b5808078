"""`backfill`, `resume`, a broken reload, and a second watcher, all against the running service."""

import json
import signal

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


def connected(site: Site) -> bool:
    return site.rows("SELECT connected FROM watch") == [(1,)] and bool(site.rows("SELECT * FROM cursor"))


def moved(site: Site) -> int:
    return len(site.rows("SELECT id FROM message WHERE state = 'settled' AND outcome = 'moved'"))


def test_backfill_takes_old_mail_once_and_only_when_asked(site: Site, account: str) -> None:
    with site.serving():
        site.until(lambda: connected(site))
        counted = site.run("backfill", "box", "--dry-run")
        assert (counted.returncode, counted.stdout) == (0, b"INBOX: 5 old messages\n")
        assert site.rows("SELECT id FROM message") == []
        taken = site.run("backfill", "box")
        assert (taken.returncode, taken.stdout) == (0, b"INBOX: 5 old messages, 5 of them taken\n")
        site.until(lambda: moved(site) == 5)
        again = site.run("backfill", "box")
        assert (again.returncode, again.stdout) == (0, b"INBOX: 0 old messages, 0 of them taken\n")


def test_backfill_without_effects_only_makes_old_mail_known(site: Site, account: str, dovecot: Dovecot) -> None:
    with site.serving():
        site.until(lambda: connected(site))
        assert site.run("backfill", "box", "--no-effects").returncode == 0
        dovecot.append(account, b"Subject: new\r\n\r\n")
        site.until(lambda: moved(site) == 1)
    assert site.rows("SELECT count(*) FROM message WHERE outcome = 'kept' AND plan IS NULL") == [(5,)]


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


def test_resume_wants_to_know_what_becomes_of_the_messages(site: Site, account: str) -> None:
    done = site.run("resume", "box")
    assert done.returncode == 2
    assert b"either --take or --skip" in done.stderr


def test_a_broken_new_file_keeps_the_old_configuration_running(site: Site, account: str, dovecot: Dovecot) -> None:
    with site.serving() as process:
        site.until(lambda: connected(site))
        site.pipeline("name: main\nrules: [{name: a, do: {mvoe: X}}]\n")
        process.send_signal(signal.SIGHUP)
        site.until(lambda: "config.refused" in site.log)
        dovecot.append(account, b"Subject: new\r\n\r\n")
        site.until(lambda: moved(site) == 1)
    [refused] = [line for line in site.log.splitlines() if "config.refused" in line]
    assert "mvoe" in json.loads(refused)["reason"]


def test_a_second_watcher_waits_for_the_first_ones_lease_and_takes_over(
    site: Site, account: str, dovecot: Dovecot, redis: Redis
) -> None:
    configured(site, dovecot, account, more=f'queue: {{url: "{redis.url}"}}')
    with site.serving("work"), site.serving("watch") as first:
        site.until(lambda: connected(site))
        [owner] = site.rows("SELECT owner FROM lease WHERE name = 'mailbox box'")
        with site.serving("watch"):
            dovecot.append(account, b"Subject: one\r\n\r\n")
            site.until(lambda: moved(site) == 1)
            assert site.rows("SELECT owner FROM lease WHERE name = 'mailbox box'") == [owner]
            # Nor does it tell of a mailbox that it does not watch.
            assert site.rows("SELECT owner, connected FROM watch") == [(*owner, 1)]
            first.kill()
            first.wait()
            dovecot.append(account, b"Subject: two\r\n\r\n")
            site.until(lambda: moved(site) == 2)
            assert site.rows("SELECT owner FROM lease WHERE name = 'mailbox box'") != [owner]


def test_watch_and_work_refuse_a_queue_that_nobody_else_can_reach(site: Site, account: str) -> None:
    for command in ("watch", "work"):
        done = site.run(command)
        assert done.returncode == 78  # systemd does not start it again and again
        assert b"postroom.yaml:1:1: queue.url: memory:// cannot be reached by another process" in done.stderr


def test_a_broker_that_is_away_at_the_start_is_waited_for(
    site: Site, account: str, dovecot: Dovecot, redis: Redis
) -> None:
    configured(site, dovecot, account, more=f'queue: {{url: "{redis.url}"}}')
    redis.kill()
    with site.serving("work") as worker, site.serving("watch") as watcher:
        site.until(lambda: connected(site))
        redis.start()
        dovecot.append(account, b"Subject: one\r\n\r\n")
        site.until(lambda: moved(site) == 1)
        assert (worker.poll(), watcher.poll()) == (None, None)
