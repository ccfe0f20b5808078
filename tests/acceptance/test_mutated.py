"""Thousands of damaged messages go the way of `postroom filter`, and each of them ends in the store, once."""

import os
import random
from collections import Counter
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from runpy import run_path

import pytest

from postroom.app import open_site
from postroom.cli.filter import offer, parser
from postroom.sources.stdin import lasting, offered
from postroom.spool import Spool

ROOT = Path(__file__).parents[2]
COUNT = int(os.environ.get("POSTROOM_MUTATIONS", "10000"))
SEED = 20260301
# Folders by one letter: of those whose names come from messages only so many are made in a day.
RULES = """\
name: main
rules:
  - name: Files
    when: {attachment: "*"}
    do:
      - extract: "files/{{ from.domain }}"
      - strip: {larger: 1KB, note: "It lies in files/{{ from.domain }}, {{ subject }}."}
  - name: Marks
    when:
      any:
        - subject: ["*re*", "/[aeiou]{2}/"]
        - body: "*the*"
        - from: {domain: "*.com"}
    do:
      - tag: marked
      - subject: {prefix: "[x] "}
      - header: {remove: "X-*", set: {X-From: "{{ from }}"}, add: {X-Subject: "{{ subject }}"}}
      - flag: "\\\\Flagged"
  - name: Lists
    when: {any: [{list-id: "*"}, {bulk: true}]}
    do: [{move: "Lists/{{ list_id | truncate(1, true, '') }}"}, stop]
  - name: Senders
    when: {from: "*"}
    do: [{move: "From/{{ from.domain | truncate(1, true, '') }}"}]
"""


def originals() -> list[bytes]:
    files = [*(ROOT / "tests/messages").rglob("*.eml"), *(ROOT / "tests/messages").rglob("*.msg")]
    files += (ROOT / "deploy/samples").glob("*.eml")
    return [file.read_bytes() for file in sorted(files)]


def mutations(messages: Sequence[bytes], count: int) -> list[bytes]:
    mutated = run_path(str(ROOT / "benchmarks/mutations.py"))["mutated"]
    return [*mutated(messages, count, SEED)]


def identities(messages: Sequence[bytes], spool: Path) -> set[str]:
    """One for each that differs from all others by more than what carriers write."""
    return {offered(BytesIO(one).read, inline=1 << 30, spool=Spool(spool)).identity for one in messages}


@pytest.mark.timeout(1800)  # ten thousand messages, each with its commits
def test_every_damaged_message_ends_in_the_store_once(site):
    site.pipeline(RULES)
    messages = mutations(originals(), COUNT)
    # Offered once more here and there, as a caller that was told 75 or died does.
    offers = messages + random.Random(SEED).sample(messages, COUNT // 20)
    options = parser().parse_args(["--sender", "ann@example.org", "--recipient", "bob@example.com"])
    with open_site(site.root / "postroom.yaml", mailbox=None, pipeline=None, passes=False) as opened:
        statuses = Counter(offer(opened, options, BytesIO(raw).read) for raw in offers)
    assert statuses == {0: len(offers)}
    distinct = len(identities(messages, site.root / "spool"))
    assert distinct > COUNT * 0.9
    assert site.ledger("SELECT state, count(*) FROM message GROUP BY state") == [("settled", distinct)]
    assert site.ledger("SELECT state, count(*) FROM effect WHERE state != 'done' GROUP BY state") == []
    assert len(site.everything()) == distinct
    assert site.ledger("SELECT count(*) FROM message WHERE outcome = 'moved'") > [(distinct // 2,)]


def test_what_no_rule_touches_is_in_the_store_whole(site):
    messages = mutations(originals(), COUNT // 10)
    options = parser().parse_args(["--sender", "ann@example.org", "--recipient", "bob@example.com"])
    with open_site(site.root / "postroom.yaml", mailbox=None, pipeline=None, passes=False) as opened:
        for raw in messages:
            assert offer(opened, options, BytesIO(raw).read) == 0
    kept = Counter(without_carriers(file.read_bytes()) for file in site.everything())
    assert set(kept) == {without_carriers(as_stored(raw)) for raw in messages}


def as_stored(raw: bytes) -> bytes:
    """A Maildir holds LF where a message has CRLF throughout."""
    line = raw.find(b"\n") + 1 if raw.startswith(b"From ") else 0
    rest = raw[line:]
    return unix_lines(rest) if rest.count(b"\r") == rest.count(b"\n") == rest.count(b"\r\n") else rest


def unix_lines(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("first", [b" ", b"\t"], ids=["space", "tab"])
def test_a_first_line_that_is_folded_does_not_become_part_of_our_return_path(site, first):
    raw = first + b"From: jane@home.example\nSubject: Sunday\n\nLunch?\n"
    assert site.filter(raw, "--sender", "ann@example.org").returncode == 0
    assert [file.read_bytes() for file in site.everything()] == [raw]


def without_carriers(raw: bytes) -> bytes:
    """The message as a Maildir has it, with LF, without From_ line and the fields of carriers (our Return-Path)."""
    line = raw.find(b"\n") + 1 if raw.startswith(b"From ") else 0
    return b"".join(lasting(raw[line:])).replace(b"\r\n", b"\n")
