"""The service's life: it drains within its limit, reads its files anew, cleans up behind itself."""

import json
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

import waiting
from acceptance.conftest import Site
from maildirs import put
from servers.redis import Redis

SETTINGS = """\
state: state
pipelines: pipelines
host: test.example
metrics: {{listen: none}}
spool: {{min-free: 0, inline: 1KiB}}
{more}
mailboxes:
  box: {{url: "maildir:box", pipeline: main, start: all{options}}}
"""
KEEP = "name: main\nrules:\n  - {name: all, do: {move: Done}}\n"


def configured(site: Site, more: str = "", options: str = "") -> None:
    site.settings(SETTINGS.format(more=more, options=options))


def acting(site: Site, script: str, more: str = "", then: str = "") -> None:
    """A pipeline whose effect is that program, and a message for it."""
    effect = f"exec: {{command: [/bin/sh, -c, 'cd {site.root}; {script}'], delivers: false{more}}}"
    site.pipeline(f"name: main\nrules:\n  - {{name: all, do: [{{{effect}}}{then}]}}\n")
    put(site.root / "box", "1")


@contextmanager
def serving(site: Site, more: str = "") -> Iterator["subprocess.Popen[bytes]"]:
    """The service, which has moved its first message."""
    configured(site, more)
    site.pipeline(KEEP)
    put(site.root / "box", "1")
    with site.serving() as process:
        site.until(lambda: done(site) == 1)
        yield process


def logged(site: Site, event: str) -> int:
    return site.log.count(event)


def done(site: Site) -> int:
    return len(list((site.root / "box").glob(".Done/*/*")))


def test_the_effect_that_runs_at_sigterm_ends_and_is_recorded(site: Site) -> None:
    configured(site)
    acting(site, "echo x >> began; sleep 2; echo x >> ended")
    with site.serving() as process:
        site.until((site.root / "began").exists)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert (site.root / "ended").read_text() == "x\n"
    assert site.ledger("SELECT state FROM effect") == [("done",)]


def test_an_effect_that_does_not_end_holds_the_service_up_no_longer_than_its_limit(site: Site) -> None:
    configured(site)
    acting(site, "echo $$ > began; exec sleep 300", ", timeout: 10m")
    with site.serving() as process:
        site.until(lambda: (site.root / "began").exists() and bool((site.root / "began").read_text()))
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    # It was killed, and the next process tries it again.
    assert site.ledger("SELECT state, error FROM effect") == [("pending", "the program was ended by a signal")]
    assert site.ledger("SELECT owner FROM message") == [(None,)]
    program = Path("/proc") / (site.root / "began").read_text().strip()
    site.until(lambda: not program.exists())


@pytest.mark.parametrize("command", ["run", "watch", "work"])
def test_the_service_begins_and_ends_without_waiting_for_a_redis_that_is_away(site: Site, command: str) -> None:
    configured(site, more='queue: {url: "redis://127.0.0.1:1/0"}')
    site.pipeline(KEEP)
    put(site.root / "box", "1")
    with site.serving(command) as process:
        # Before the worker has given up its third try.
        waiting.until(lambda: "service.started" in site.log, 15, lambda: site.log)
        if command != "work":
            site.until(lambda: site.rows("SELECT count(*) FROM message") == [(1,)])
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0


@pytest.mark.parametrize("command", ["run", "watch", "work"])
def test_the_service_ends_within_its_limit_though_redis_has_ceased_to_answer(
    site: Site, make_redis: Callable[..., AbstractContextManager[Redis]], command: str
) -> None:
    with make_redis() as redis:
        configured(site, more=f'queue: {{url: "{redis.url}"}}')
        site.pipeline(KEEP)
        with site.serving(command) as process:
            site.until(lambda: "service.started" in site.log)
            with redis.paused():
                process.send_signal(signal.SIGTERM)
                assert process.wait(25) == 0


@pytest.mark.parametrize("queue", ["memory", "redis"])
def test_a_start_and_an_end_warn_of_nothing(site: Site, request: pytest.FixtureRequest, queue: str) -> None:
    url = "memory://" if queue == "memory" else request.getfixturevalue("redis").url
    configured(site, more=f'queue: {{url: "{url}"}}')
    site.pipeline(KEEP)
    put(site.root / "box", "1")
    with site.serving("run", PYTHONWARNINGS="default") as process:
        site.until(lambda: done(site) == 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    events = [json.loads(line) for line in site.log.splitlines()]  # and nothing that is no event
    assert [event for event in events if event["level"] != "info"] == []


def test_a_mailbox_whose_settings_change_keeps_its_lease(site: Site) -> None:
    with serving(site) as process:
        configured(site, options=", create: false")
        process.send_signal(signal.SIGHUP)
        site.until(lambda: logged(site, "config.loaded") == 1)
        put(site.root / "box", "2")
        site.until(lambda: done(site) == 2)
        [(left,)] = site.ledger("SELECT until / 1000000 - unixepoch() FROM lease WHERE name = 'mailbox box'")
        assert isinstance(left, int)
        assert left > 0


def test_files_that_change_are_read_anew_where_asked(site: Site) -> None:
    with serving(site, more="reload: change"):
        site.pipeline(KEEP.replace("Done", "Else"))
        site.until(lambda: logged(site, "config.loaded") == 1)
        put(site.root / "box", "2")
        site.until(lambda: len(list((site.root / "box").glob(".Else/*/*"))) == 1)


def test_what_a_restart_has_to_change_is_said_at_a_reload(site: Site) -> None:
    with serving(site) as process:
        configured(site, more="retry: {first: 1h}")
        process.send_signal(signal.SIGHUP)
        site.until(lambda: logged(site, "a change of retry takes a restart") == 1)


def test_retention_and_orphans_are_seen_to(site: Site) -> None:
    configured(site, more="retention: {settled: 1s}")
    site.pipeline(KEEP)
    put(site.root / "box", "1", b"Subject: x\n\n" + b"large\n" * 1000)
    orphan = site.root / "state/spool/20200101/20200101T000000.000000-0123456789abcdef"
    with site.serving():
        site.until(lambda: site.rows("SELECT state FROM message") == [("settled",)])
    orphan.parent.mkdir()
    orphan.write_bytes(b"nobody's")
    site.until(lambda: site.ledger("SELECT unixepoch() - finished_at / 1000000 > 1 FROM message") == [(1,)])
    with site.serving():
        site.until(lambda: logged(site, "sweep.done") == 2)
        assert site.ledger("SELECT id FROM message") == []
        assert [path for path in (site.root / "state/spool").rglob("*") if path.is_file()] == []


def test_an_effect_that_waits_is_rung_for_when_its_time_has_come(site: Site) -> None:
    configured(site, more="retry: {first: 1s, factor: 1}")
    acting(site, "echo x >> tries; test -e mended", then=", {move: Done}")
    with site.serving():
        site.until(lambda: (site.root / "tries").exists() and len((site.root / "tries").read_text()) >= 4)
        (site.root / "mended").touch()
        site.until(lambda: done(site) == 1)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(60)
        yield listening


def test_a_service_manager_hears_ready_signs_of_life_and_stopping(site: Site, manager: socket.socket) -> None:
    configured(site)
    site.pipeline(KEEP)
    put(site.root / "box", "1")
    with site.serving("run", NOTIFY_SOCKET=str(site.root / "notify"), WATCHDOG_USEC="400000") as process:
        said = [manager.recv(1000) for _ in range(5)]
        process.send_signal(signal.SIGTERM)
        while not said[-1].startswith(b"STOPPING=1"):
            said.append(manager.recv(1000))
        process.wait(60)
    assert sum(text.startswith(b"READY=1") for text in said) == 1
    assert said.count(b"WATCHDOG=1") >= 2
