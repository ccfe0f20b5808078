"""`postroom run` as a mail server sees it: what it acknowledged is delivered, also when it is killed."""

import json
import os
import random
import signal
import smtplib
import subprocess
import threading
import time
from pathlib import Path

import pytest

from acceptance.conftest import Site
from servers.ports import free_port

DELIVER = Path(__file__).parents[2] / "deploy/postroom-deliver"
PIPELINE = """\
name: main
rules:
  - {name: bills, when: {subject: "bill *"}, do: {move: Bills}}
"""
SETTINGS = """\
state: state
pipelines: pipelines
host: test.example
metrics: {listen: none}
spool: {inline: 10KB, min-free: 0}
mailboxes:
  local:
    url: lmtp+unix:lmtp.sock
    pipeline: main
    recipients:
      - {to: "*@example.com", store: "mail/{{ recipient.local }}"}
"""
PATIENCE = 90.0


@pytest.fixture
def site(site: Site) -> Site:
    site.settings(SETTINGS)
    site.pipeline(PIPELINE)
    return site


def listens(site: Site) -> bool:
    try:
        send(site, "probe@example.org", "nobody@example.net", b"")
    except smtplib.SMTPRecipientsRefused:
        return True
    except OSError:
        return False
    return False


def send(site: Site, sender: str, recipient: str, message: bytes) -> None:
    with smtplib.LMTP(str(site.root / "lmtp.sock"), timeout=PATIENCE) as client:
        client.sendmail(sender, [recipient], message)


def settled(site: Site) -> int:
    return len(site.rows("SELECT id FROM message WHERE state = 'settled'"))


def test_mail_goes_to_its_recipients_store_and_the_socket_to_nobody_after_the_end(site: Site) -> None:
    with site.serving() as process:
        site.until(lambda: listens(site))
        send(site, "bob@example.org", "ann@example.com", b"Subject: bill 1\r\n\r\n" + b"x" * 50_000 + b"\r\n")
        command = [DELIVER, "--socket", site.root / "lmtp.sock", "--recipient", "Eve@example.com"]
        subprocess.run(command, input=b"Subject: note\n\nbody\n", check=True, timeout=60)
        site.until(lambda: settled(site) == 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert not (site.root / "lmtp.sock").exists()
    [bill] = site.mail("Bills", site.store / "ann")
    [note] = site.mail("", site.store / "eve")
    head, _, body = bill.read_bytes().partition(b"\n\n")
    assert [line.partition(b":")[0] for line in head.splitlines() if line[:1] != b"\t"] == [
        b"Return-Path", b"Received", b"Delivered-To", b"Subject",
    ]  # fmt: skip
    assert body == b"x" * 50_000 + b"\n"
    assert note.read_bytes().endswith(b"Subject: note\n\nbody\n")


def test_a_stranger_who_makes_up_recipients_makes_no_stores_without_end(site: Site) -> None:
    site.settings(SETTINGS + "    new-stores: 3\n")
    (site.store / "ann/new").mkdir(parents=True)
    with site.serving():
        site.until(lambda: listens(site))
        for number in range(6):
            send(site, "bob@example.org", f"invented{number}@example.com", b"Subject: x\r\n\r\nbody\r\n")
        site.until(lambda: settled(site) == 3)
        send(site, "bob@example.org", "ann@example.com", b"Subject: x\r\n\r\nbody\r\n")
        site.until(lambda: settled(site) == 4)
    assert len([*site.store.iterdir()]) == 4
    waiting = site.rows("SELECT error FROM effect WHERE state = 'pending'")
    assert len(waiting) == 3
    assert "3 new stores were made within an hour; mail for further ones waits (`new-stores`)" in str(waiting[0])


@pytest.mark.parametrize("seed", [1, 2])
def test_semantics_6_what_was_acknowledged_is_delivered_also_when_the_service_is_killed(site: Site, seed: int) -> None:
    moments = random.Random(seed)
    waiting, acknowledged = [f"bill {number}" for number in range(150)], list[str]()
    stopping = threading.Event()

    def feed() -> None:
        while waiting and not stopping.is_set():
            subject = waiting[-1]
            body = b"x" * moments.choice([10, 30_000])
            try:
                send(
                    site, "bob@example.org", "ann@example.com", f"Subject: {subject}\r\n\r\n".encode() + body + b"\r\n"
                )
            except (OSError, smtplib.SMTPException):
                time.sleep(0.05)
            else:
                acknowledged.append(waiting.pop())

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        for _ in range(4):
            with site.serving() as process:
                site.until(lambda: listens(site))
                site.until(lambda end=time.monotonic() + moments.uniform(0, 1.5): time.monotonic() > end)
                os.kill(process.pid, signal.SIGKILL)
        with site.serving():
            site.until(lambda: not waiting)
            site.until(lambda: not site.ledger("SELECT 1 FROM message WHERE state <> 'settled'"))
    finally:
        stopping.set()
        feeder.join(PATIENCE)
    taken = [file.read_bytes() for file in site.mail("Bills", site.store / "ann")]
    found = sorted(line.decode()[9:] for one in taken for line in one.splitlines() if line.startswith(b"Subject: "))
    assert set(found) == set(acknowledged)
    assert len(acknowledged) == 150
    # A message whose 250 was lost on the way comes a second time; none does so by itself.
    assert len(found) == settled(site)
    assert len(found) <= 150 + 4


@pytest.mark.parametrize("kind", ["a UNIX socket", "TCP"])
def test_the_status_of_a_listener_is_told_by_the_process_that_serves_it(site: Site, kind: str) -> None:
    if kind == "TCP":
        site.settings(SETTINGS.replace("lmtp+unix:lmtp.sock", f"lmtp://127.0.0.1:{free_port()}"))

    def state() -> object:
        [box] = json.loads(site.run("status", "--json").stdout)["mailboxes"]
        return box["state"]

    with site.serving() as first:
        site.until(lambda: state() == "listening")
        with site.serving() as second:
            # Tried twice, so that it has had time to tell.
            site.until(lambda: site.log.count("another process does; stop that one, or give this mailbox another") >= 3)
            assert state() == "listening"
            second.send_signal(signal.SIGTERM)
            assert second.wait(60) == 0
        assert state() == "listening"
        with site.serving():
            first.kill()
            first.wait()
            dead = site.ledger("SELECT owner, 1 FROM watch")
            # The one that waited serves now, and says so.
            site.until(lambda: (told := site.ledger("SELECT owner, connected FROM watch")) != dead and told[0][1] == 1)
            assert state() == "listening"
