"""The service's life: it drains within its limit, reads its files anew, cleans up behind itself."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from acceptance.conftest import Site

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


def put(site: Site, name: str, content: bytes = b"Subject: x\n\nbody\n") -> None:
    for sub in ("tmp", "new", "cur"):
        (site.root / "box" / sub).mkdir(parents=True, exist_ok=True)
    (site.root / "box/tmp" / name).write_bytes(content)
    (site.root / "box/tmp" / name).rename(site.root / "box/new" / name)


@contextmanager
def running(site: Site, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    with (site.root / "log").open("ab") as log:
        process = subprocess.Popen(
            site.command("run"), cwd=site.root, stdout=log, stderr=log, env={**os.environ, **environment}
        )
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


def logged(site: Site, event: str) -> int:
    path = site.root / "log"
    return path.read_text().count(event) if path.exists() else 0


def done(site: Site) -> int:
    return len(list((site.root / "box").glob(".Done/*/*")))


def test_the_effect_that_runs_at_sigterm_ends_and_is_recorded(site: Site) -> None:
    configured(site)
    site.pipeline(
        "name: main\nrules:\n"
        f"  - {{name: all, do: [{{exec: {{command: [/bin/sh, -c, 'cd {site.root}; echo x >> began; sleep 2; "
        "echo x >> ended'], delivers: false}}]}\n"
    )
    put(site, "1")
    with running(site) as process:
        until(site, (site.root / "began").exists)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert (site.root / "ended").read_text() == "x\n"
    assert site.ledger("SELECT state FROM effect") == [("done",)]


def test_an_effect_that_does_not_end_holds_the_service_up_no_longer_than_its_limit(site: Site) -> None:
    configured(site)
    site.pipeline(
        "name: main\nrules:\n"
        f"  - {{name: all, do: [{{exec: {{command: [/bin/sh, -c, 'cd {site.root}; echo $$ > began; exec sleep 300'], "
        "timeout: 10m, delivers: false}}]}\n"
    )
    put(site, "1")
    with running(site) as process:
        until(site, lambda: (site.root / "began").exists() and bool((site.root / "began").read_text()))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    # It was killed, and the next process tries it again.
    assert site.ledger("SELECT state, error FROM effect") == [("pending", "the program was ended by a signal")]
    assert site.ledger("SELECT owner FROM message") == [(None,)]
    program = Path("/proc") / (site.root / "began").read_text().strip()
    until(site, lambda: not program.exists())


def test_a_mailbox_whose_settings_change_keeps_its_lease(site: Site) -> None:
    configured(site)
    site.pipeline(KEEP)
    put(site, "1")
    with running(site) as process:
        until(site, lambda: done(site) == 1)
        configured(site, options=", create: false")
        process.send_signal(signal.SIGHUP)
        until(site, lambda: logged(site, "config.loaded") == 1)
        put(site, "2")
        until(site, lambda: done(site) == 2)
        [(left,)] = site.ledger("SELECT until / 1000000 - unixepoch() FROM lease WHERE name = 'mailbox box'")
        assert isinstance(left, int)
        assert left > 0


def test_files_that_change_are_read_anew_where_asked(site: Site) -> None:
    configured(site, more="reload: change")
    site.pipeline(KEEP)
    put(site, "1")
    with running(site):
        until(site, lambda: done(site) == 1)
        site.pipeline(KEEP.replace("Done", "Else"))
        until(site, lambda: logged(site, "config.loaded") == 1)
        put(site, "2")
        until(site, lambda: len(list((site.root / "box").glob(".Else/*/*"))) == 1)


def test_what_a_restart_has_to_change_is_said_at_a_reload(site: Site) -> None:
    configured(site)
    site.pipeline(KEEP)
    put(site, "1")
    with running(site) as process:
        until(site, lambda: done(site) == 1)
        configured(site, more="retry: {first: 1h}")
        process.send_signal(signal.SIGHUP)
        until(site, lambda: logged(site, "a change of retry takes a restart") == 1)


def test_retention_and_orphans_are_seen_to(site: Site) -> None:
    configured(site, more="retention: {settled: 1s}")
    site.pipeline(KEEP)
    put(site, "1", b"Subject: x\n\n" + b"large\n" * 1000)
    orphan = site.root / "state/spool/20200101/20200101T000000.000000-0123456789abcdef"
    with running(site):
        until(site, lambda: done(site) == 1)
        until(site, lambda: site.ledger("SELECT state FROM message") == [("settled",)])
    orphan.parent.mkdir()
    orphan.write_bytes(b"nobody's")
    until(site, lambda: site.ledger("SELECT unixepoch() - finished_at / 1000000 > 1 FROM message") == [(1,)])
    with running(site):
        until(site, lambda: logged(site, "sweep.done") == 2)
        assert site.ledger("SELECT id FROM message") == []
        assert [path for path in (site.root / "state/spool").rglob("*") if path.is_file()] == []


def test_an_effect_that_waits_is_rung_for_when_its_time_has_come(site: Site) -> None:
    configured(site, more="retry: {first: 1s, factor: 1}")
    site.pipeline(
        "name: main\nrules:\n"
        f"  - {{name: all, do: [{{exec: {{command: [/bin/sh, -c, 'cd {site.root}; echo x >> tries; test -e mended'], "
        "delivers: false}}, {move: Done}]}\n"
    )
    put(site, "1")
    with running(site):
        until(site, lambda: (site.root / "tries").exists() and len((site.root / "tries").read_text()) >= 4)
        (site.root / "mended").touch()
        until(site, lambda: done(site) == 1)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(60)
        yield listening


def test_a_service_manager_hears_ready_signs_of_life_and_stopping(site: Site, manager: socket.socket) -> None:
    configured(site)
    site.pipeline(KEEP)
    put(site, "1")
    with running(site, NOTIFY_SOCKET=str(site.root / "notify"), WATCHDOG_USEC="400000") as process:
        said = [manager.recv(1000) for _ in range(5)]
        process.send_signal(signal.SIGTERM)
        while not said[-1].startswith(b"STOPPING=1"):
            said.append(manager.recv(1000))
        process.wait(60)
    assert sum(text.startswith(b"READY=1") for text in said) == 1
    assert said.count(b"WATCHDOG=1") >= 2
