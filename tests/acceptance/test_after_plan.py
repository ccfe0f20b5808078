"""`postroom run` with a listener that answers after planning: one commit, one answer, and the effects afterwards."""

import smtplib
import urllib.request
from contextlib import suppress

import pytest

from acceptance.conftest import Site
from servers.ports import free_port
from waiting import until

PIPELINE = """\
name: main
rules:
  - {name: no, when: {subject: "no *"}, do: [{archive: seen}, {reject: "not {{ subject }}"}]}
"""
LETHAL = """\
name: main
rules:
  - name: deadly
    when: {subject: deadly}
    do: [{script: {name: s, command: [sh, -c, "kill -9 $PPID"]}}]
"""
SETTINGS = """\
state: state
pipelines: pipelines
host: test.example
metrics: {{listen: "127.0.0.1:{metrics}"}}
retry: {{crashes: 1}}
mailboxes:
  local:
    url: lmtp://127.0.0.1:{port}
    answer: after-plan
    pipeline: main
    store: mail
    recipients: [{{to: "*@example.com"}}]
"""
PATIENCE = 60.0


def test_a_client_is_told_what_the_rules_say(site: Site) -> None:
    port = free_port()
    site.settings(SETTINGS.format(port=port, metrics=free_port()))
    site.pipeline(PIPELINE)
    with site.serving():
        assert sent(port, "no thanks") == {"ann@example.com": (550, b"5.7.1 not no thanks")}
        assert sent(port, "hello") == {}
        site.until(lambda: states(site) == [("settled", "gone"), ("settled", "kept")])
    assert len(site.mail()) == 1
    assert len(list((site.root / "state/files/seen").iterdir())) == 1


def test_a_message_that_kills_the_service_while_it_is_planned_ends_as_a_dead_letter(site: Site) -> None:
    port, metrics = free_port(), free_port()
    site.settings(SETTINGS.format(port=port, metrics=metrics))
    site.pipeline(LETHAL)
    # Its planning in the listener.
    with site.serving() as process:
        with pytest.raises((smtplib.SMTPException, OSError)):
            sent(port, "deadly")
        process.wait(PATIENCE)
    # It is taken, and now the worker dies of it.
    with site.serving() as process:
        with suppress(smtplib.SMTPException, OSError):  # who dies first may not have answered yet
            sent(port, "deadly")
        process.wait(PATIENCE)
    with site.serving():
        site.until(lambda: states(site) == [("dead", None)])
        assert sent(port, "harmless") == {}
        site.until(lambda: states(site)[1:] == [("settled", "kept")])
        page = urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=PATIENCE).read().decode()
    assert 'postroom_messages_total{mailbox="local",outcome="dead",pipeline="main"} 1.0' in page
    assert len(site.mail()) == 2


def sent(port: int, subject: str) -> dict[str, tuple[int, bytes]]:
    """The recipients that were refused after the final dot, as smtplib tells them."""
    clients: list[smtplib.LMTP] = []

    def connected() -> bool:
        with suppress(OSError):
            clients.append(smtplib.LMTP("127.0.0.1", port, timeout=PATIENCE))
        return bool(clients)

    until(connected)
    with clients[0] as client:
        client.ehlo()
        client.mail("bob@example.org")
        client.rcpt("ann@example.com")
        code, text = client.data(f"Subject: {subject}\r\n\r\nx\r\n".encode())
        return {} if code == 250 else {"ann@example.com": (code, text)}


def states(site: Site) -> list[tuple[object, ...]]:
    return site.rows("SELECT state, outcome FROM message ORDER BY id")
