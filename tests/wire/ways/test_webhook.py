"""Webhooks as their receivers see them."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from postroom import steps, testing
from postroom.errors import Permanent, Temporary
from postroom.pipeline.outcome import Effect, Letter, Receipt
from postroom.pipeline.tools import Tools
from servers.authority import self_signed
from servers.web import Request, Web, serving

KEY = base64.b64encode(b"thirty-two octets of a secret...").decode()


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as found:
        yield found


def tools(tmp_path: Path, **changes: Any) -> Tools:
    secrets = {"helpdesk": lambda: f"whsec_{KEY}", "plain": lambda: "plain text", "bot": lambda: "t0ken"}
    return testing.tools(tmp_path, secrets=secrets, **changes)


def perform(url: str, tmp_path: Path, letter: Letter | None = None, **options: Any) -> Receipt:
    given = {"url": url, "allow_private": True, **options}
    [made] = steps.step("webhook").model_validate(given).plan(testing.view(), tools(tmp_path))
    assert isinstance(made, Effect)
    return made.perform(letter or testing.letter(), tools(tmp_path))


def verified(request: Request, secret: bytes) -> bool:
    """As the specification tells receivers to do it."""
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    made = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
    return f"v1,{made}" in request.headers["webhook-signature"].split(" ")


def test_json_tells_the_message_without_its_attachments(web: Web, tmp_path: Path) -> None:
    raw = testing.message(subject="Grüße", text="Hallo.\n", html="<p>Hallo", attachments=["a.pdf"])
    assert perform(web.url(), tmp_path, testing.letter(raw)).detail == "answered with status 204"
    [request] = web.requests
    assert request.headers["content-type"] == "application/json"
    told = json.loads(request.body)
    assert told["type"] == "message.received"
    data = told["data"]
    assert (data["key"], data["mailbox"]) == ("A" * 26, "test")
    assert data["envelope"] == {"sender": "ann@example.org", "recipients": ["bob@example.com"]}
    assert (data["text"], data["html"], data["cut"]) == ("Hallo.\n", "<p>Hallo\n", False)
    assert data["message"]["subject"] == "Grüße"
    assert [part["filename"] for part in data["message"]["parts"] if part["is_attachment"]] == ["a.pdf"]
    assert b"%PDF" not in request.body


def test_texts_end_at_the_limit(web: Web, tmp_path: Path) -> None:
    [made] = (
        steps.step("webhook")
        .model_validate({"url": web.url(), "allow_private": True})
        .plan(testing.view(), tools(tmp_path))
    )
    assert isinstance(made, Effect)
    made.perform(testing.letter(testing.message(text="x" * 5000)), tools(tmp_path, match_limit=1000))
    data = json.loads(web.requests[0].body)["data"]
    assert (len(data["text"]), data["cut"]) == (1000, True)


def test_raw_is_the_message_octet_by_octet(web: Web, tmp_path: Path) -> None:
    raw = b"Subject: \xff\x00\nX: y\n\nbody\n.\n"
    perform(web.url(), tmp_path, testing.letter(raw, prefix=b"Return-Path: <>\r\n"), send="raw", secret="helpdesk")
    [request] = web.requests
    assert request.headers["content-type"] == "message/rfc822"
    assert request.body == b"Return-Path: <>\r\n" + raw
    assert verified(request, base64.b64decode(KEY))


def test_a_form_holds_the_json_and_every_attachment(web: Web, tmp_path: Path) -> None:
    boundary = b"--postroom-" + b"A" * 26
    attachments = [
        testing.Attachment("a.pdf", content=b"\x00\r\n" + boundary + b"--\r\n"),
        testing.Attachment('q"\\.txt', content=b"z"),
    ]
    perform(
        web.url(), tmp_path, testing.letter(testing.message(attachments=attachments)), send="multipart", secret="plain"
    )
    [request] = web.requests
    assert verified(request, b"plain text")
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    form = message_from_bytes(head + request.body, policy=policy.HTTP)
    parts = list(form.iter_parts())  # type: ignore[attr-defined]  # HTTP's policy makes EmailMessage
    assert [part.get_param("name", header="content-disposition") for part in parts] == [
        "message",
        "attachment",
        "attachment",
    ]
    assert json.loads(parts[0].get_payload(decode=True))["data"]["mailbox"] == "test"
    assert attachments[0].octets in request.body
    assert parts[1].get_filename() == "a.pdf"
    assert (parts[1].get_content_type(), parts[2].get_content_type()) == ("application/pdf", "text/plain")
    assert '"' not in parts[2].get_filename()


@pytest.mark.parametrize(("name", "secret"), [("helpdesk", base64.b64decode(KEY)), ("plain", b"plain text")])
def test_a_delivery_is_signed_with_the_named_secret(web: Web, tmp_path: Path, name: str, secret: bytes) -> None:
    perform(web.url(), tmp_path, secret=name)
    [request] = web.requests
    assert verified(request, secret)
    assert not verified(request, b"another")
    assert request.headers["webhook-timestamp"] == str(int(testing.NOW.timestamp()))


def test_a_second_try_has_the_same_id_and_body(web: Web, tmp_path: Path) -> None:
    web.answers = [(500, {}), (200, {})]
    with pytest.raises(Temporary):
        perform(web.url(), tmp_path, send="multipart")
    perform(web.url(), tmp_path, send="multipart")
    first, second = web.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "A" * 26
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == f'"{"A" * 26}"'
    assert first.body == second.body
    assert "webhook-signature" not in first.headers


def test_headers_and_a_token_go_along(web: Web, tmp_path: Path) -> None:
    perform(web.url(), tmp_path, headers={"X-Subject": "{{ subject }}"}, token="bot")
    [request] = web.requests
    assert request.headers["x-subject"] == "Hello"
    assert request.headers["authorization"] == "Bearer t0ken"


def test_a_secret_that_is_gone_is_waited_for(web: Web, tmp_path: Path) -> None:
    with pytest.raises(Temporary, match="no secret `gone`"):
        perform(web.url(), tmp_path, secret="gone")
    assert web.requests == []


def test_a_private_address_needs_leave(web: Web, tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="allow-private"):
        perform(web.url(), tmp_path, allow_private=False)
    assert web.requests == []


def test_a_certificate_of_ones_own_is_trusted_where_it_is_named(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "IP:127.0.0.1")
    with serving((certificate, key)) as web:
        perform(web.url(scheme="https"), tmp_path, tls_ca=str(certificate))
        assert len(web.requests) == 1
        with pytest.raises(Temporary, match="certificate"):
            perform(web.url(scheme="https"), tmp_path)
