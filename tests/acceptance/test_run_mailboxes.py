"""`postroom run` over a POP3 mailbox and a Maildir: everything ends where it should, also when it is killed."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from acceptance.conftest import Site
from maildirs import put
from servers.dovecot import PASSWORD, Dovecot

PIPELINE = """\
name: main
rules:
  - {name: bills, when: {subject: "bill *"}, do: [{move: Bills}, {flag: '\\Flagged'}]}
  - {name: spam, when: {subject: "spam *"}, do: discard}
"""
KINDS = ("bill", "spam", "note")


def letter(kind: str, number: int) -> bytes:
    return f"Subject: {kind} {number}\r\nMessage-ID: <{kind}{number}@x>\r\n\r\nbody {kind} {number}\r\n".encode()


def configured(site: Site, dovecot: Dovecot, user: str) -> None:
    site.settings(f"""\
state: state
pipelines: pipelines
host: test.example
metrics: {{listen: "127.0.0.1:0"}}
mailboxes:
  box: {{url: "maildir:box", pipeline: main, start: all}}
  isp:
    url: pop3s://127.0.0.1:{dovecot.pop3s}
    user: {user}
    password: {PASSWORD}
    tls-ca: {dovecot.ca}
    pipeline: main
    start: all
    poll: 1s
    store: mail
""")
    site.pipeline(PIPELINE)


def ended(site: Site) -> dict[str, int]:
    """Messages by mailbox that are settled; empty while there is no ledger yet."""
    found = site.rows("SELECT mailbox, count(*) FROM message WHERE state = 'settled' GROUP BY mailbox")
    return {str(name): int(str(number)) for name, number in found}


def subjects(files: list[Path]) -> list[str]:
    return sorted(file.read_bytes().splitlines()[0].decode().removeprefix("Subject: ") for file in files)


def left(dovecot: Dovecot, user: str) -> int:
    with dovecot.client(user) as client:
        return len(client.search(None, "ALL")[1][0].split())


def fill(site: Site, dovecot: Dovecot, user: str, count: int) -> None:
    dovecot.append(user, *(letter(kind, number) for number in range(count) for kind in KINDS))
    for number in range(count):
        for kind in KINDS:
            put(site.root / "box", f"{number:03}.{kind}.host", letter(kind, number))


def check_everything(site: Site, dovecot: Dovecot, user: str, count: int) -> None:
    """Each message in its place, in one state, on either side."""
    box = site.root / "box"
    for store in (box, site.store):
        assert subjects(site.mail("Bills", store)) == sorted(f"bill {number}" for number in range(count))
        assert subjects(site.mail(store=store)) == sorted(f"note {number}" for number in range(count))
        assert {file.name.partition(":2,")[2] for file in site.mail("Bills", store)} == {"F"}
    assert not list(box.glob("new/*"))
    assert left(dovecot, user) == 0
    total = len(KINDS) * count
    assert site.ledger("SELECT state, count(*) FROM message GROUP BY state") == [("settled", 2 * total)]
    outcomes = site.ledger("SELECT outcome, count(*) FROM message GROUP BY outcome ORDER BY outcome")
    assert outcomes == [("gone", 2 * count), ("kept", 2 * count), ("moved", 2 * count)]


def test_a_service_brings_everything_where_it_should_be_and_drains_on_sigterm(
    site: Site, dovecot: Dovecot, user: str
) -> None:
    configured(site, dovecot, user)
    fill(site, dovecot, user, 30)
    with site.serving() as process:
        site.until(lambda: ended(site) == {"box": 90, "isp": 90})
        put(site.root / "box", "999.note.host", letter("note", 30))
        dovecot.append(user, letter("note", 30))
        site.until(lambda: ended(site) == {"box": 91, "isp": 91})
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    for store in (site.root / "box", site.store):
        assert len(site.mail(store=store)) == 31
    assert left(dovecot, user) == 0


def test_a_mailbox_that_a_reload_brings_is_watched(site: Site) -> None:
    settings = (
        'state: state\npipelines: pipelines\nmetrics: {listen: none}\nmailboxes:\n  first: {url: "maildir:first"}\n'
    )
    settings = settings.replace('first"}', 'first", pipeline: main}')
    site.settings(settings)
    site.pipeline(PIPELINE)
    with site.serving() as process:
        site.until((site.root / "first/new").is_dir)
        site.settings(settings + '  second: {url: "maildir:second", pipeline: main, start: all}\n')
        put(site.root / "second", "1.note.host", letter("note", 1))
        process.send_signal(signal.SIGHUP)
        site.until(lambda: ended(site) == {"second": 1})


@pytest.mark.parametrize("seed", [1, 2])
def test_a_service_that_is_killed_again_and_again_loses_and_doubles_nothing(
    site: Site, dovecot: Dovecot, user: str, seed: int
) -> None:
    configured(site, dovecot, user)
    fill(site, dovecot, user, 60)
    moments = random.Random(seed)
    for _ in range(5):
        with site.serving() as process:
            site.until((site.root / "state/ledger.db").exists)
            end = time.monotonic() + moments.uniform(0, 2)
            site.until(lambda end=end: time.monotonic() > end)
            os.kill(process.pid, signal.SIGKILL)
    with site.serving() as process:
        site.until(lambda: ended(site) == {"box": 180, "isp": 180})
    check_everything(site, dovecot, user, 60)


def test_what_is_filed_into_the_maildir_it_came_from_is_not_filed_again(site: Site) -> None:
    site.settings(
        "state: state\npipelines: pipelines\nmetrics: {listen: none}\n"
        'mailboxes: {box: {url: "maildir:box", pipeline: main, start: all, poll: 1s}}\n'
    )
    site.pipeline(f'name: main\nrules: [{{name: all, do: {{file: "{site.root}/{{{{ mailbox }}}}"}}}}]\n')
    put(site.root / "box", "1.a.host", letter("bill", 1))
    with site.serving():
        site.until(lambda: len(list((site.root / "box/cur").glob("*"))) == 1)
        put(site.root / "box", "2.b.host", letter("bill", 2))
        site.until(lambda: len(list((site.root / "box/cur").glob("*"))) == 2)
        site.until(lambda: site.ledger("SELECT count(*) FROM message WHERE outcome = 'own'") == [(2,)])
    assert len(list((site.root / "box/new").glob("*"))) == 2
    assert site.ledger("SELECT count(*) FROM message") == [(4,)]
