"""What an operator gets wrong outside of the files: one sentence that says what and where, and never a traceback."""

import os
import socket
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.conftest import Site

# Root reads everything unless it gives up the right to.
BOUND = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()
SETTINGS = """\
state: state
pipelines: pipelines
metrics: {{listen: none}}
{more}
mailboxes:
  stdin: {{url: "stdin:", pipeline: main, store: mail, state: state}}
  inbox: {{url: "maildir:inbox", pipeline: main}}
"""


def sentence(done: subprocess.CompletedProcess[bytes], status: int) -> str:
    """The one line on standard error."""
    told = done.stderr.decode()
    assert (done.returncode, "Traceback" in told) == (status, False), told
    [line] = [line for line in told.splitlines() if line != "1 problem"]
    return line


@pytest.mark.parametrize(
    ("closed", "command", "status", "told"),
    [
        ("postroom.yaml", "check", 78, "postroom.yaml:1:1: the file cannot be read: Permission denied"),
        ("postroom.yaml", "filter", 75, "postroom.yaml:1:1: the file cannot be read: Permission denied"),
        ("pipelines/main.yaml", "check", 78, "main.yaml:1:1: the file cannot be read: Permission denied"),
        ("pipelines", "test", 1, "there is no pipeline that can be read in"),
        ("pipelines", "filter", 75, "pipelines, which this user cannot read"),
        ("state", "filter", 75, "state"),
        ("state", "messages", 75, "ledger.db: permission denied"),
    ],
)
def test_what_may_not_be_read_is_named(site: "Site", closed: str, command: str, status: int, told: str) -> None:
    (site.root / "state").mkdir()
    (site.root / closed).chmod(0)
    try:
        assert told in sentence(site.run(command, prefix=BOUND, message=b"Subject: x\n\n"), status)
    finally:
        (site.root / closed).chmod(0o700)


@pytest.mark.parametrize("command", [["check"], ["explain", "letter.eml"], ["test"]], ids=" ".join)
def test_rules_can_be_looked_at_by_who_may_not_see_the_mail(site: "Site", command: list[str]) -> None:
    (site.root / "letter.eml").write_bytes(b"Subject: x\n\n")
    (site.root / "closed").mkdir()
    text = (site.root / "postroom.yaml").read_text()
    site.settings(text.replace("state: state", "state: closed/state").replace("store: mail", "store: closed/mail"))
    site.pipeline("name: main\nrules:\n  - {name: a, do: keep}\ntests:\n  - {message: {}, expect: keep}\n")
    (site.root / "closed").chmod(0)
    try:
        done = site.run(*command, prefix=BOUND)
    finally:
        (site.root / "closed").chmod(0o700)
    assert (done.returncode, done.stderr) == (0, b"")


def test_settings_in_a_closed_directory_are_a_matter_of_the_configuration(site: "Site") -> None:
    (site.root / "closed").mkdir(mode=0)
    try:
        done = site.run("check", "--config", "closed/postroom.yaml", prefix=BOUND)
    finally:
        (site.root / "closed").chmod(0o700)
    assert "closed/postroom.yaml: cannot be looked at: permission denied" in sentence(done, 78)


def test_a_closed_directory_of_pipelines_is_told_with_its_place(site: "Site") -> None:
    (site.root / "pipelines").chmod(0)
    try:
        done = site.run("check", prefix=BOUND)
    finally:
        (site.root / "pipelines").chmod(0o700)
    assert done.returncode == 78
    assert b"postroom.yaml:2:12: pipelines: the directory " in done.stderr
    assert b"cannot be read by this user" in done.stderr


def test_a_pipeline_with_another_ending_is_named(site: "Site") -> None:
    (site.root / "pipelines/main.yaml").rename(site.root / "pipelines/main.yml")
    done = site.run("check")
    assert done.returncode == 78
    assert b"rename main.yml to main.yaml" in done.stderr


def test_a_directory_is_no_configuration(site: "Site") -> None:
    done = site.run("check", "--config", str(site.root))
    assert sentence(done, 78) == f"{site.root}: is a directory; name the file in it"


def spoiled(path: Path) -> None:
    path.write_bytes(b"no database at all" * 500)


def of_the_future(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE schema SET version = 99")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [(spoiled, "it is damaged or no ledger: restore it"), (of_the_future, "has version 99, this Postroom knows")],
)
@pytest.mark.parametrize(("command", "status"), [("filter", 75), ("status", 75), ("run", 75)])
def test_a_ledger_that_cannot_be_used_is_told(site: "Site", spoil, told: str, command: str, status: int) -> None:
    site.settings(SETTINGS.format(more=""))
    assert site.filter().returncode == 0
    spoil(site.root / "state/ledger.db")
    assert told in sentence(site.run(command, message=b"Subject: y\n\n"), status)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            'queue: {url: "redis://127.0.0.1:1/0"}',
            "✗ queue: the queue redis://127.0.0.1:1/0 cannot be reached: connection refused",
        ),
        (
            'ledger: {url: "postgresql://u@127.0.0.1:1/x"}',
            "✗ ledger: the ledger postgresql://u@127.0.0.1:1/x cannot be used",
        ),
        ('spool: {url: "file:postroom.yaml/x"}', "✗ spool: "),
    ],
)
def test_servers_that_are_away_are_told_by_check(site: "Site", more: str, told: str) -> None:
    site.settings(SETTINGS.format(more=more))
    done = site.run("check", "--connect")
    assert (done.returncode, b"Traceback" in done.stderr) == (1, False)
    assert told in done.stdout.decode()


def test_a_port_that_somebody_else_has_is_told(site: "Site") -> None:
    site.settings(SETTINGS.format(more=""))
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        told = sentence(site.run("run", "--metrics", address), 75)
    assert told == f"postroom: metrics cannot listen on {address}: address already in use; choose another, or `none`"


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("run", "--mailbox", "inbx"), 1, "no mailbox `inbx` can be watched; there are: inbox"),
        (("watch",), 78, "queue.url: memory:// cannot be reached by another process"),
        (("backfill", "inbox"), 1, "no IMAP mailbox is called `inbox`"),
        (("explain", "--mailbox", "x", "postroom.yaml"), 1, "no mailbox is called `x`; there are: stdin, inbox"),
        (("test", "mian"), 78, "did you mean `main`?"),
    ],
)
def test_names_that_are_none_are_told(site: "Site", arguments: tuple[str, ...], status: int, told: str) -> None:
    site.settings(SETTINGS.format(more=""))
    assert told in sentence(site.run(*arguments), status)
