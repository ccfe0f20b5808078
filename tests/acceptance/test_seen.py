"""A running service as its surroundings see it: Prometheus, health checks, systemd, and whoever reads its log."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

SETTINGS = """\
state: state
pipelines: pipelines
metrics: {listen: none}
mailboxes:
  support: {url: "stdin:", pipeline: main, store: mail, state: state}
"""


@dataclass
class Running:
    """`postroom work`, started as systemd would."""

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
    site.settings(SETTINGS)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "3600000000"}
        command = site.command("work", "--metrics", "127.0.0.1:0")
        process = subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ | told)
        found = Running(process, manager, "", [])
        try:
            found.address = found.event("service.started")["listen"]
            assert {found.told(), found.told()} == {"WATCHDOG=1", "READY=1\nSTATUS=0 mailboxes"}
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


def test_what_a_worker_did_is_counted(running: Running, site: Any) -> None:
    site.pipeline("name: main\nrules:\n  - {name: all, when: {subject: '*'}, do: keep}\n")
    running.process.send_signal(signal.SIGHUP)
    running.event("config.loaded")
    assert site.filter().returncode == 0  # the same ledger; rows of standard input are its own business
    end = time.monotonic() + 60
    while 'postroom_ledger_rows{state="settled"} 1.0' not in running.get("/metrics")[1]:
        assert time.monotonic() < end


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
    end = time.monotonic() + 60
    while "postroom_reload_ok 1.0" not in running.get("/metrics")[1]:
        assert time.monotonic() < end


def test_a_service_that_is_stopped_says_so_and_ends_well(running: Running) -> None:
    running.process.send_signal(signal.SIGTERM)
    assert running.told().startswith("STOPPING=1")
    running.event("service.stopped")
    assert running.process.wait(60) == 0


def test_an_address_that_is_none_is_refused_with_the_remedy(site: Any) -> None:
    done = site.run("work", "--metrics", "everywhere")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr == b"postroom: --metrics must be ADDRESS:PORT, such as 127.0.0.1:9925, or `none`\n"
