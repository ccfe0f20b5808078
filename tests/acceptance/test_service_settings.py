"""Processes of one site whose settings are not equally old, and files that are read anew."""

import json
import signal

import pytest

from acceptance.conftest import Site
from maildirs import put
from servers.redis import Redis

SETTINGS = """\
state: state
pipelines: pipelines
host: test.example
metrics: {{listen: none}}
spool: {{min-free: 0}}
queue: {{url: "{queue}"}}
mailboxes:
  old: {{url: "maildir:old", pipeline: main, start: all}}
"""
NEW = """\
  new: {url: "maildir:new", pipeline: fresh, start: all}
"""
KEEP = "name: {name}\nrules:\n  - {{name: all, do: {{move: {folder}}}}}\n"


def moved(site: Site, box: str, folder: str) -> int:
    return len(list((site.root / box).glob(f".{folder}/*/*")))


def events(site: Site, name: str) -> list[dict[str, object]]:
    """Of a log that is still being written."""
    lines = [line for line in site.log.splitlines() if line.startswith("{") and line.endswith("}")]
    return [line for line in map(json.loads, lines) if line["event"] == name]


@pytest.fixture
def settings(site: Site, redis: Redis) -> str:
    site.pipeline(KEEP.format(name="main", folder="Done"))
    made = SETTINGS.format(queue=redis.url)
    site.settings(made)
    return made


def test_a_worker_that_meets_an_unknown_mailbox_reads_newer_settings_by_itself(site: Site, settings: str) -> None:
    put(site.root / "old", "1")
    with site.serving("work"):
        with site.serving("watch"):
            site.until(lambda: moved(site, "old", "Done") == 1)
        site.pipeline(KEEP.format(name="fresh", folder="Else"), "fresh")
        site.settings(settings + NEW)
        put(site.root / "new", "2")
        with site.serving("watch"):
            # retry.first is five minutes: nothing waits for that.
            site.until(lambda: moved(site, "new", "Else") == 1)
    assert [one["reason"] for one in events(site, "config.outdated")] == ["the mailbox `new` is not in the settings"]
    assert len(events(site, "config.loaded")) == 1


def test_a_worker_whose_settings_cannot_be_newer_says_so_and_does_the_rest(site: Site, settings: str) -> None:
    site.pipeline(KEEP.format(name="fresh", folder="Else"), "fresh")
    site.settings(settings + NEW)
    put(site.root / "new", "1")
    with site.serving("watch"):
        site.until(lambda: site.rows("SELECT id FROM message") != [])
        # Else the ring may end with the process, and the next one comes a minute later.
        site.until(lambda: json.loads(site.run("status", "--json").stdout)["queue_length"])
    site.settings(settings)
    put(site.root / "old", "2")
    with site.serving("work"), site.serving("watch"):
        site.until(lambda: moved(site, "old", "Done") == 1)
        site.until(lambda: site.ledger("SELECT tries > 1 FROM message WHERE mailbox = 'new'") == [(1,)])
    assert moved(site, "new", "Else") == 0
    assert len(events(site, "config.outdated")) == 1
    assert events(site, "config.loaded") == []


def test_a_worker_goes_on_with_what_it_has_while_newer_settings_are_broken(site: Site, settings: str) -> None:
    put(site.root / "old", "1")
    with site.serving("work"):
        site.until(lambda: events(site, "service.started"))
        site.pipeline(KEEP.format(name="fresh", folder="Else"), "fresh")
        site.settings(settings + NEW)
        with site.serving("watch"):
            site.until(lambda: moved(site, "old", "Done") == 1)
            site.settings(settings + NEW.replace("pipeline", "pipelnie"))
            put(site.root / "new", "2")
            site.until(lambda: events(site, "config.refused"))
            put(site.root / "old", "3")
            site.until(lambda: moved(site, "old", "Done") == 2)
            assert moved(site, "new", "Else") == 0
            site.settings(settings + NEW)
            site.until(lambda: moved(site, "new", "Else") == 1)


def test_a_mailbox_that_a_reload_brings_has_its_own_addresses_at_once(site: Site, settings: str) -> None:
    # `reply` answers only what was sent to us: it sees the addresses of the new mailbox.
    outbox = '\nservers: {trial: {url: "maildir:outbox"}}\ndefaults: {server: trial, from: us@home.example}\n'
    site.settings(settings.replace("mailboxes:", f"{outbox}mailboxes:"))
    with site.serving("work"), site.serving("watch") as watcher:
        site.until(lambda: len(events(site, "service.started")) == 2)
        site.pipeline("name: fresh\nrules:\n  - {name: all, do: {reply: {text: away}}}\n", "fresh")
        box = '  new: {url: "maildir:new", pipeline: fresh, start: all, addresses: [us@home.example]}\n'
        site.settings(settings.replace("mailboxes:", f"{outbox}mailboxes:") + box)
        put(site.root / "new", "1")
        letter = "From: a@b.example\nTo: us@home.example\nSubject: x\nMessage-ID: <1@b.example>\n\nbody\n"
        (site.root / "new/new/1").write_text(letter.replace("From", "Return-Path: <a@b.example>\nFrom"))
        watcher.send_signal(signal.SIGHUP)
        site.until(lambda: list((site.root / "outbox/new").glob("*")))
