"""What kind of message it is."""

import pytest

from postroom.message import parse

BODY = b"\r\nhello\r\n"


@pytest.mark.parametrize(
    ("header", "bulk"),
    [
        pytest.param(b"", False, id="nothing"),
        pytest.param(b"List-Id: <dev.example.org>\r\n", True, id="list-id"),
        pytest.param(b"List-Unsubscribe: <mailto:off@example.org>\r\n", True, id="list-unsubscribe"),
        pytest.param(b"Precedence: bulk\r\n", True, id="precedence-bulk"),
        pytest.param(b"PRECEDENCE: List\r\n", True, id="precedence-list"),
        pytest.param(b"Precedence: first-class\r\n", False, id="precedence-other"),
    ],
)
def test_bulk_is_what_says_so(header: bytes, bulk: bool) -> None:
    assert parse(header + BODY).is_bulk is bulk


@pytest.mark.parametrize(
    ("value", "automatic"),
    [
        pytest.param(b"no", False, id="no"),
        pytest.param(b"No (a person)", False, id="no-with-comment"),
        pytest.param(b"auto-replied", True, id="replied"),
        pytest.param(b"auto-generated; owner-email=x@example.org", True, id="with-parameter"),
        pytest.param(b"", False, id="empty"),
    ],
)
def test_auto_submitted_is_anything_but_no(value: bytes, automatic: bool) -> None:
    assert parse(b"Auto-Submitted: " + value + b"\r\n" + BODY).is_auto_submitted is automatic


@pytest.mark.parametrize(
    ("raw", "bounce"),
    [
        pytest.param(b"Return-Path: <>\r\n" + BODY, True, id="null-sender"),
        pytest.param(b"Return-Path: < >\r\n" + BODY, True, id="null-sender-with-blank"),
        pytest.param(b"Return-Path: <a@example.org>\r\n" + BODY, False, id="a-sender"),
        pytest.param(
            b"Content-Type: multipart/report; report-type=Delivery-Status; boundary=b\r\n\r\n--b--", True, id="report"
        ),
        pytest.param(
            b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
            b"x\r\n--b--",
            True,
            id="report-without-its-type",
        ),
        pytest.param(
            b"Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n--b--",
            False,
            id="receipt",
        ),
    ],
)
def test_a_bounce_is_a_report_or_has_no_sender(raw: bytes, bounce: bool) -> None:
    assert parse(raw).is_bounce is bounce


@pytest.mark.parametrize(
    ("raw", "encrypted", "signed"),
    [
        pytest.param(b"Subject: x\r\n" + BODY, False, False, id="neither"),
        pytest.param(b"Content-Type: multipart/encrypted; boundary=b\r\n\r\n--b\r\n\r\n--b--", True, False, id="pgp"),
        pytest.param(b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n--b--", False, True, id="signed"),
        pytest.param(
            b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n" + BODY, True, False, id="smime"
        ),
        pytest.param(
            b"Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n" + BODY, False, True, id="smime-signed"
        ),
        pytest.param(b"Content-Type: application/x-pkcs7-mime\r\n" + BODY, True, False, id="smime-unsaid"),
        pytest.param(b"Subject: x\r\n\r\n-----BEGIN PGP MESSAGE-----\r\n", True, False, id="armoured"),
        pytest.param(b"Subject: x\r\n\r\n-----BEGIN PGP SIGNED MESSAGE-----\r\n", False, True, id="clear-signed"),
    ],
)
def test_encryption_and_signatures_are_seen(raw: bytes, encrypted: bool, signed: bool) -> None:
    message = parse(raw)
    assert (message.is_encrypted, message.is_signed) == (encrypted, signed)
