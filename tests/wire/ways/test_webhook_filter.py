"""Webhooks of `postroom filter`: secrets from the settings, the schedule of the ledger, and a process that is killed."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledgers import asked
from servers.web import Web, serving
from waiting import until
from wire.outgoing.conftest import Site


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as found:
        yield found


def site_of(tmp_path: Path, web: Web) -> Site:
    made = Site(tmp_path)
    hook = {"webhook": {"url": web.url(), "secret": "hook", "allow-private": True}}
    (tmp_path / "hook").write_text("sesame\n")
    (tmp_path / "old").write_text("second\n")
    made.write(1, [hook], servers={}, defaults={}, secrets={"hook": [{"file": "hook"}, {"file": "old"}]})
    return made


def test_the_first_of_several_secrets_signs(tmp_path: Path, web: Web) -> None:
    site = site_of(tmp_path, web)
    assert site.run("check").returncode == 0
    assert site.filter().returncode == 0
    [request] = web.requests
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    made = base64.b64encode(hmac.digest(b"sesame", signed, hashlib.sha256)).decode()
    assert request.headers["webhook-signature"] == f"v1,{made}"
    assert json.loads(request.body)["data"]["message"]["subject"] == "Sunday"
    assert b"sesame" not in (tmp_path / "state/ledger.db").read_bytes()


def test_retry_after_says_when_the_next_try_is(tmp_path: Path, web: Web) -> None:
    web.answers = [(503, {"Retry-After": "7200"})]
    site = site_of(tmp_path, web)
    assert site.filter().returncode == 75
    [(at,)] = asked(tmp_path / "state/ledger.db", "SELECT next_try_at FROM effect WHERE word = 'webhook'")
    assert 7000 < int(str(at)) / 1e6 - time.time() < 7201


def test_a_try_that_was_killed_is_repeated_under_the_same_id_and_then_never_again(tmp_path: Path, web: Web) -> None:
    held = threading.Event()
    web.hold = lambda _: held.wait()
    site = site_of(tmp_path, web)
    process = site.begin()
    until(lambda: web.requests)
    process.kill()
    process.wait(60)
    held.set()
    assert site.filter().returncode == 0
    assert site.filter().returncode == 0
    first, second = web.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert site.kept == 1


def test_a_secret_that_no_setting_names_is_an_error_of_check(tmp_path: Path, web: Web) -> None:
    site = site_of(tmp_path, web)
    site.write(
        1,
        [{"webhook": {"url": web.url(), "secret": "hok"}}],
        servers={},
        defaults={},
        secrets={"hook": {"file": "hook"}},
    )
    done = site.run("check")
    assert done.returncode == 78
    assert b"no secret `hok`; did you mean `hook`?" in done.stdout + done.stderr
