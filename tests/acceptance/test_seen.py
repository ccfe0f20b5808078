"""A running service as its surroundings see it: Prometheus, health checks, systemd, and whoever reads its log."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from maildirs import put
from servers.redis import Redis
from waiting import until

RUN = """\
state: state
pipelines: pipelines
mailboxes:
  inbox: {url: "maildir:inbox", pipeline: main, start: all}
"""
SETTINGS = """\
state: state
pipelines: pipelines
metrics: {listen: none}
mailboxes:
  support: {url: "stdin:", pipeline: main, store: mail, state: state}
"""
SCANNERS = """\
scanners: {spamd: {url: "unix:/nothing"}, clamd: {url: "unix:/nothing"}}
"""
COUNTED = ('postroom_scanner_errors_total{scanner="spamd"} 1.0', 'postroom_scanner_errors_total{scanner="clamd"} 1.0')


@dataclass
class Running:
    """A service, started as systemd would."""

    process: subprocess.Popen[bytes]
    manager: socket.socket
    address: str
    log: list[dict[str, Any]]

    def told(self) -> str:
        """What systemd hears next."""
        return self.manager.recv(4096).decode()

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urlopen(f"http://{self.address}{path}", timeout=60) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    def shows(self, *lines: str) -> None:
        """Wait until the page has all of these lines."""

        def missing() -> list[str]:
            page = self.get("/metrics")[1]
            return [line for line in lines if f"\n{line}\n" not in page]

        until(lambda: not missing(), told=lambda: f"{missing()} are missing", pause=0.05)

    def event(self, name: str) -> dict[str, Any]:
        """The next line of the log with this event; those before it are kept as well."""
        assert self.process.stderr is not None
        while line := self.process.stderr.readline():
            self.log.append(json.loads(line))
            if self.log[-1]["event"] == name:
                return self.log[-1]
        raise AssertionError(f"no {name}, but {self.log}")


@pytest.fixture
def running(site: Any, tmp_path: Path) -> Iterator[Running]:
    with started(site, tmp_path, SETTINGS) as found:
        yield found


@contextmanager
def started(site: Any, tmp_path: Path, settings: str, name: str = "run") -> Iterator[Running]:
    """`postroom run`, or a half of it, killed in the end."""
    site.settings(settings)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "3600000000"}
        command = site.command(name, "--metrics", "127.0.0.1:0")
        process = subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ | told)
        found = Running(process, manager, "", [])
        try:
            found.address = found.event("service.started")["listen"]
            mailboxes = 0 if settings == SETTINGS or name == "work" else 1
            assert {found.told(), found.told()} == {"WATCHDOG=1", f"READY=1\nSTATUS={mailboxes} mailboxes"}
            yield found
        finally:
            process.kill()
            process.communicate()


def test_a_service_shows_its_numbers_and_that_it_is_well(running: Running) -> None:
    status, page = running.get("/metrics")
    assert status == 200
    assert 'postroom_ledger_rows{state="received"} 0.0' in page
    assert 'postroom_unanswered{asked="queue"} 0.0' in page
    assert running.get("/healthz") == (200, "loop: ok\nworker: ok\n")
    assert running.get("/readyz") == (200, "loop: ok\nworker: ok\nledger: ok\nqueue: ok\nmailboxes: ok\n")


def test_what_others_bring_into_the_ledger_is_shown(running: Running, site: Any) -> None:
    site.pipeline("name: main\nrules:\n  - {name: all, when: {subject: '*'}, do: keep}\n")
    running.process.send_signal(signal.SIGHUP)
    running.event("config.loaded")
    assert site.filter().returncode == 0  # the same ledger; rows of standard input are its own business
    running.shows('postroom_ledger_rows{state="settled"} 1.0')


def test_systemd_hears_of_a_reload_and_metrics_of_one_that_failed(running: Running, site: Any) -> None:
    site.pipeline("name: main\nrules: nonsense\n")
    running.process.send_signal(signal.SIGHUP)
    assert running.told().startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert running.told().startswith("READY=1\nSTATUS=the files on disk are broken")
    assert running.event("config.refused")["reason"].startswith(str(site.root))
    assert "postroom_reload_ok 0.0" in running.get("/metrics")[1]
    site.pipeline("name: main\nrules:\n  - {name: all, do: keep}\n")
    running.process.send_signal(signal.SIGHUP)
    running.event("config.loaded")
    running.shows("postroom_reload_ok 1.0")


def test_a_service_that_is_stopped_says_so_and_ends_well(running: Running) -> None:
    running.process.send_signal(signal.SIGTERM)
    assert running.told().startswith("STOPPING=1")
    running.event("service.stopped")
    assert running.process.wait(60) == 0


def test_an_address_that_is_none_is_refused_with_the_remedy(site: Any) -> None:
    done = site.run("run", "--metrics", "everywhere")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"--metrics must be ADDRESS:PORT, such as 127.0.0.1:9925, or `none`\n" in done.stderr


def test_the_way_of_a_message_is_counted_logged_and_shown(site: Any, tmp_path: Path) -> None:
    site.pipeline("name: main\nrules:\n  - {name: all, do: [{archive: copies}]}\n")
    with started(site, tmp_path, RUN) as running:
        running.event("mailbox.connected")
        put(site.root / "inbox", "1.a.b", b"From: a@b.example\nDate: Yesterday\n\nhello\n")
        assert running.event("message.settled")["mailbox"] == "inbox"
        running.shows(
            'postroom_messages_total{mailbox="inbox",outcome="kept",pipeline="main"} 1.0',
            'postroom_message_seconds_count{mailbox="inbox"} 1.0',
            'postroom_rules_matched_total{pipeline="main",rule="all"} 1.0',
            'postroom_step_seconds_count{word="archive"} 1.0',
            'postroom_effects_total{result="done",word="archive"} 1.0',
            'postroom_effect_seconds_count{word="archive"} 1.0',
            'postroom_defects_total{defect="bad-date"} 1.0',
            'postroom_queue_rings_total{reason="new"} 1.0',
            'postroom_mailbox_connected{mailbox="inbox"} 1.0',
            'postroom_mailbox_in_flight{mailbox="inbox"} 0.0',
        )
        assert running.get("/readyz")[0] == 200
        until(lambda: shown(site)["state"] == "connected")
        assert shown(site)["looked"]
    assert {line["event"] for line in running.log} >= {"message.planned", "effect.done", "message.done"}
    assert shown(site)["state"] == "not watched"


def shown(site: Any) -> Any:
    """What `status` says of the mailbox."""
    return json.loads(site.run("status", "--json").stdout)["mailboxes"][0]


def test_an_effect_that_fails_is_counted_as_what_it_is(site: Any, tmp_path: Path) -> None:
    site.pipeline("name: main\nrules:\n  - {name: all, do: [{exec: [sh, -c, exit 65]}, {exec: [sh, -c, exit 75]}]}\n")
    with started(site, tmp_path, RUN) as running:
        running.event("mailbox.connected")
        put(site.root / "inbox", "1.a.b", b"From: a@b.example\n\nhello\n")
        running.shows(
            'postroom_effects_total{result="dead",word="exec"} 1.0',
            'postroom_effects_total{result="later",word="exec"} 1.0',
            "postroom_effects_pending 1.0",
        )


def test_a_scanner_that_is_away_is_counted_and_logged_while_the_message_waits(site: Any, tmp_path: Path) -> None:
    site.pipeline("name: main\nrules:\n  - {name: all, do: [{spam: {scanner: spamd, on-error: pass}}, virus, keep]}\n")
    with started(site, tmp_path, RUN + SCANNERS) as running:
        running.event("mailbox.connected")
        put(site.root / "inbox", "1.a.b", b"From: a@b.example\n\nhello\n")
        assert running.event("scanner.away")["scanner"] == "spamd"
        told = running.event("scanner.away")
        assert (told["scanner"], told["reason"]) == ("clamd", "clamd is away: No such file or directory")
        running.shows(*COUNTED, 'postroom_ledger_rows{state="received"} 1.0')


def test_a_worker_of_its_own_counts_scanners_that_are_away(site: Any, tmp_path: Path, redis: Redis) -> None:
    site.pipeline("name: main\nrules:\n  - {name: all, do: [{spam: {scanner: spamd, on-error: pass}}, virus, keep]}\n")
    put(site.root / "inbox", "1.a.b", b"From: a@b.example\n\nhello\n")
    settings = RUN + SCANNERS + f'queue: {{url: "{redis.url}"}}\nmetrics: {{listen: none}}\n'
    with started(site, tmp_path, settings, "work") as running:
        watcher = subprocess.Popen(site.command("watch"), stderr=subprocess.DEVNULL)
        try:
            running.shows(*COUNTED)
        finally:
            watcher.kill()
            watcher.wait()
