"""Two running services that send each other mail: forwarding to each other, and answering each other. Both come to an end,
and both say why."""

import re
import smtplib
from contextlib import ExitStack, suppress
from email.utils import formatdate
from functools import partial
from pathlib import Path

import pytest

from acceptance.conftest import Site
from acceptance.processes import Running
from servers.ports import free_port
from waiting import until

SETTINGS = """\
state: state
pipelines: pipelines
host: {host}
metrics: {{listen: none}}
logs: {{level: warning}}
spool: {{min-free: 0}}
servers: {{other: {{url: "smtp://127.0.0.1:{other}", tls: off}}}}
defaults: {{server: other, from: "robot@{host}"}}
mailboxes:
  in:
    url: smtp://127.0.0.1:{port}
    pipeline: main
    store: mail
    recipients: [{{to: "*@{host}"}}]
"""
HERE, THERE = "here.example", "there.example"


class Pair:
    """Two services, each the other's way out."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self._root, self._stack = root, stack
        self.sites: dict[str, Site] = {}
        self.ports = {HERE: free_port(), THERE: free_port()}

    def start(self, do: str) -> None:
        """`do`: what each of them does, with OTHER for the other's host."""
        for host, other in ((HERE, THERE), (THERE, HERE)):
            site = self.sites[host] = Site(self._root / host)
            site.root.mkdir()
            site.settings(SETTINGS.format(host=host, port=self.ports[host], other=self.ports[other]))
            site.pipeline(f"name: main\nrules:\n  - {{name: all, do: [{do.replace('OTHER', other)}]}}\n")
            process = Running(site.command("run"), site.root, site.root / "log")
            process.start()
            self._stack.callback(process.stop)

    def send(self, message: bytes) -> None:
        for port in self.ports.values():
            until(partial(listens, port))
        with smtplib.SMTP("127.0.0.1", self.ports[HERE]) as client:
            assert client.sendmail(f"me@{THERE}", f"me@{HERE}", message) == {}

    def ended(self) -> dict[str, list[object]]:
        """The states of all messages, once none is on its way."""
        until(self._have_ended, told=lambda: str(self._states()))
        return self._states()

    def _have_ended(self) -> bool:
        """What one has sent, the other has: where all have ended in each, one after the other, and then in the first
        there are still the same, none has come meanwhile."""
        first, second = self._states(), self._states()
        return first == second and all(found and {*found} <= {"settled", "dead"} for found in first.values())

    def _states(self) -> dict[str, list[object]]:
        return {host: [one for (one,) in site.ledger("SELECT state FROM message")] for host, site in self.sites.items()}

    def why(self, host: str, sender: str) -> str:
        """What `explain` says of the last message that came there from this sender."""
        site = self.sites[host]
        newest = max(site.mail(), key=lambda path: path.stat().st_mtime_ns)
        told = site.run("explain", "--sender", sender, "--recipient", f"me@{host}", str(newest)).stdout.decode()
        return re.sub(r"\s+", " ", told)


def listens(port: int) -> bool:
    with suppress(OSError), smtplib.SMTP("127.0.0.1", port):
        return True
    return False


@pytest.fixture
def pair(tmp_path: Path, stack: ExitStack) -> Pair:
    return Pair(tmp_path, stack)


def letter(sender: str = THERE) -> bytes:
    return (
        f"From: me@{sender}\r\nTo: me@{HERE}\r\nSubject: Sunday\r\nMessage-ID: <1@{sender}>\r\nDate: {formatdate()}\r\n\r\nx\r\n"
    ).encode()


@pytest.mark.parametrize(
    ("mode", "messages", "reason"),
    [
        ("redirect", 2, "it has been delivered to this recipient already (Delivered-To)"),
        ("attach", 5, "it has been put into messages of forwarders 4 times already"),
        ("inline", 5, "it has been put into messages of forwarders 4 times already"),
    ],
)
def test_two_services_that_forward_to_each_other_stop(pair: Pair, mode: str, messages: int, reason: str) -> None:
    pair.start(f'{{forward: {{to: "me@OTHER", mode: {mode}, on-dmarc-fail: send}}}}')
    pair.send(letter())
    states = pair.ended()
    assert sum(map(len, states.values())) == messages
    [last] = [host for host, found in states.items() if "dead" in found]
    assert reason in pair.why(last, f"me@{THERE}")
    # Nothing is lost by it: each keeps what it got.
    assert sum(len(site.mail()) for site in pair.sites.values()) == messages


def test_two_services_that_answer_each_other_stop(pair: Pair) -> None:
    pair.start('{reply: {text: "I am away."}}')
    pair.send(letter())
    states = pair.ended()
    assert states == {HERE: ["settled"], THERE: ["settled"]}
    assert "not answered: its sender is <>" in pair.why(THERE, "")
    # Also where a server on its way has lost that.
    assert "not answered: it was sent by a program" in pair.why(THERE, f"me@{HERE}")
