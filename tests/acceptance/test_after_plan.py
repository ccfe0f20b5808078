"""`postroom run` with a listener that answers after planning: one commit, one answer, and the effects afterwards."""

import smtplib
import sqlite3
import subprocess
import time

from acceptance.conftest import Site
from servers.ports import free_port

PIPELINE = """\
name: main
rules:
  - {name: no, when: {subject: "no *"}, do: [{archive: seen}, {reject: "not {{ subject }}"}]}
"""
PATIENCE = 60.0


def test_a_client_is_told_what_the_rules_say(site: Site) -> None:
    port = free_port()
    site.settings(f"""\
state: state
pipelines: pipelines
host: test.example
metrics: {{listen: none}}
mailboxes:
  local:
    url: lmtp://127.0.0.1:{port}
    answer: after-plan
    pipeline: main
    store: mail
    recipients: [{{to: "*@example.com"}}]
""")
    site.pipeline(PIPELINE)
    with (site.root / "log").open("wb") as log:
        process = subprocess.Popen(site.command("run"), cwd=site.root, stdout=log, stderr=log)
        try:
            assert sent(port, "no thanks") == {"ann@example.com": (550, b"5.7.1 not no thanks")}
            assert sent(port, "hello") == {}
            end = time.monotonic() + PATIENCE
            while states(site) != [("settled", "gone"), ("settled", "kept")]:
                assert time.monotonic() < end, (site.root / "log").read_text()[-3000:]
                time.sleep(0.05)
        finally:
            process.kill()
            process.wait()
    assert len(site.mail()) == 1
    assert len(list((site.root / "state/files/seen").iterdir())) == 1


def sent(port: int, subject: str) -> dict[str, tuple[int, bytes]]:
    """The recipients that were refused after the final dot, as smtplib tells them."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            client = smtplib.LMTP("127.0.0.1", port)
            break
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.05)
    with client:
        client.ehlo()
        client.mail("bob@example.org")
        client.rcpt("ann@example.com")
        code, text = client.data(f"Subject: {subject}\r\n\r\nx\r\n".encode())
        return {} if code == 250 else {"ann@example.com": (code, text)}


def states(site: Site) -> list[tuple[object, ...]]:
    try:
        return site.ledger("SELECT state, outcome FROM message ORDER BY id")
    except sqlite3.OperationalError:
        return []
