"""`postroom check --connect`: everything that is configured is tried, and what does not work is told in a sentence."""

import json
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from servers.dovecot import PASSWORD, Dovecot
from servers.redis import Redis

RULES = "name: main\nrules:\n  - {name: all, do: [{move: {folder: Archive, create: false}}]}\n"


@pytest.fixture
def settings(site: Any) -> Any:
    """Writes a site's settings with these mailboxes."""

    def write(more: str = "", **mailboxes: str) -> None:
        lines = [f"  {name}: {{{options}, pipeline: main}}" for name, options in mailboxes.items()]
        site.settings("state: state\npipelines: pipelines\n" + more + "mailboxes:\n" + "\n".join(lines) + "\n")

    return write


def tried(site: Any, status: int) -> dict[str, tuple[bool, str]]:
    done = site.run("check", "--connect", "--json")
    assert (done.returncode, done.stderr) == (status, b"")
    return {each["name"]: (each["works"], each["text"]) for each in json.loads(done.stdout)["connections"]}


def imap(dovecot: Dovecot, user: str, password: str = PASSWORD) -> str:
    return f"url: imaps://127.0.0.1:{dovecot.imaps}, user: {user}, password: {password}, tls-ca: {dovecot.ca}"


def pop3(dovecot: Dovecot, user: str) -> str:
    return f"url: pop3://127.0.0.1:{dovecot.pop3}, user: {user}, password: {PASSWORD}, tls-ca: {dovecot.ca}"


def test_everything_that_works_is_told(site: Any, settings: Any, dovecot: Dovecot, user: str) -> None:
    dovecot.append(user, b"Subject: x\r\n\r\n")
    settings(
        support=imap(dovecot, user),
        list=pop3(dovecot, user),
        inbox="url: 'maildir:inbox'",
        local="url: 'lmtp+unix:lmtp.sock', store: mail, recipients: [{to: '*'}]",
    )
    found = tried(site, 0)
    assert found["ledger"] == (True, "answers")
    assert found["queue"] == (True, "lives inside `postroom run`")
    assert found["mailbox support"] == (True, "logged in, with IDLE; there are: INBOX")
    assert found["mailbox list"] == (True, "logged in; messages there: 1")
    assert found["mailbox inbox"] == (True, f"{site.root}/inbox will be made")
    assert found["mailbox local"] == (True, "can be listened on")
    assert not (site.root / "inbox").exists()
    assert not (site.root / "lmtp.sock").exists()
    text = site.run("check", "--connect").stdout.decode()
    assert "✓ mailbox support: logged in, with IDLE; there are: INBOX\n" in text


def test_a_login_that_is_refused_shows_no_password(site: Any, settings: Any, dovecot: Dovecot, user: str) -> None:
    settings(support=imap(dovecot, user, "not-the-one"), list=pop3(dovecot, user))
    found = tried(site, 1)
    works, text = found["mailbox support"]
    assert not works
    assert "refused" in text
    assert "not-the-one" not in text
    assert found["mailbox list"][0]


def test_a_folder_that_rules_name_and_nobody_makes_has_to_be_there(
    site: Any, settings: Any, dovecot: Dovecot, user: str
) -> None:
    site.pipeline(RULES)
    settings(support=imap(dovecot, user))
    works, text = tried(site, 1)["mailbox support"]
    assert (works, text) == (False, "there is no folder `Archive`: make it, or set `create: true`")
    with dovecot.client(user) as client:
        client.create("Archive")
    assert tried(site, 0)["mailbox support"] == (True, "logged in, with IDLE; there are: INBOX, Archive")


def test_a_watched_folder_that_is_not_there_is_told(site: Any, settings: Any, dovecot: Dovecot, user: str) -> None:
    settings(support=imap(dovecot, user) + ", folders: [INBOX, Tickets]")
    assert "Tickets" in tried(site, 1)["mailbox support"][1]


def test_a_server_that_is_away_and_a_certificate_that_nobody_trusts_are_sentences(
    site: Any, settings: Any, dovecot: Dovecot, user: str
) -> None:
    distrusted = imap(dovecot, user).partition(", tls-ca")[0]
    settings(away="url: imaps://127.0.0.1:1, user: x, password: y", distrusted=distrusted)
    found = tried(site, 1)
    works, text = found["mailbox away"]
    assert not works
    assert "connection refused" in text
    assert "certificate is not trusted" in found["mailbox distrusted"][1]


def test_tls_where_the_server_does_not_begin_with_it_is_told(site: Any, settings: Any, dovecot: Dovecot) -> None:
    settings(support=f"url: 'imaps://127.0.0.1:{dovecot.imap}', user: x, password: y")
    works, text = tried(site, 1)["mailbox support"]
    assert (works, "does not speak TLS on that port" in text) == (False, True)


@pytest.mark.parametrize("scheme", ["imap", "pop3"])
def test_a_server_that_says_nothing_may_wait_for_tls(site: Any, settings: Any, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        settings(support=f"url: '{scheme}://127.0.0.1:{port}', user: x, password: y, timeout: 1s")
        works, text = tried(site, 1)["mailbox support"]
    assert (works, "does TLS begin at once on that port" in text) == (False, True)


def test_a_queue_is_asked_whether_it_is_there_and_keeps_its_tasks(
    site: Any, settings: Any, make_redis: Callable[..., AbstractContextManager[Redis]]
) -> None:
    with make_redis() as redis:
        settings(f"queue: {{url: '{redis.url}'}}\n", inbox="url: 'maildir:inbox'")
        assert tried(site, 0)["queue"] == (True, "answers")
    works, text = tried(site, 1)["queue"]
    assert not works
    assert "cannot be reached" in text
    with make_redis("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru") as redis:
        settings(f"queue: {{url: '{redis.url}'}}\n", inbox="url: 'maildir:inbox'")
        assert "set it to noeviction" in tried(site, 1)["queue"][1]


def test_an_address_where_somebody_listens_is_taken_for_the_running_service(site: Any, settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings(local=f"url: 'lmtp://127.0.0.1:{port}', store: mail, recipients: [{{to: '*'}}]")
        assert tried(site, 0)["mailbox local"] == (True, "is listened on already")


def test_nothing_is_tried_while_the_files_are_wrong(site: Any, tmp_path: Path) -> None:
    site.pipeline("name: main\nrules: nonsense\n")
    done = site.run("check", "--connect", "--json")
    assert done.returncode == 78
    assert json.loads(done.stdout)["connections"] == []
