"""The parsers side by side, each doing the same with a message."""

import email
import email.policy
from collections.abc import Callable
from email.header import decode_header, make_header
from email.message import EmailMessage, Message

from fast_mail_parser import parse_email

from postroom.message import parse

FIVE = ("From", "To", "Subject", "Date", "Message-ID")
Reader = Callable[[bytes], object]


def ours_in_full(raw: bytes) -> None:
    """Every header decoded, every part decoded."""
    for part in parse(raw).parts:
        for _ in part.headers.items():
            pass
        _ = part.filename
        if not part.is_multipart:
            _ = part.text if part.content_type.startswith("text/") else part.content


def ours_in_short(raw: bytes) -> None:
    """Five headers and the text."""
    message = parse(raw)
    for name in FIVE:
        message.headers.get(name)
    _ = message.text


def compat32_in_full(raw: bytes) -> None:
    for part in email.message_from_bytes(raw).walk():
        for value in part.values():
            _words(value)
        part.get_filename()
        if not part.is_multipart():
            _payload(part)


def compat32_in_short(raw: bytes) -> None:
    message = email.message_from_bytes(raw)
    for name in FIVE:
        if (value := message[name]) is not None:
            _words(value)
    for part in message.walk():
        if part.get_content_type() == "text/plain":
            _payload(part)
            break


def default_in_full(raw: bytes) -> None:
    for part in email.message_from_bytes(raw, policy=email.policy.default).walk():
        for value in part.values():
            str(value)
        part.get_filename()
        if not part.is_multipart():
            part.get_content()


def default_in_short(raw: bytes) -> None:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    for name in FIVE:
        str(message[name])
    if (body := message.get_body(("plain",))) is not None:
        body.get_content()


def fast_in_full(raw: bytes) -> None:
    message = parse_email(raw)
    _ = message.headers, message.text_plain, message.text_html
    for attachment in message.attachments:
        _ = attachment.content


def _words(value: object) -> str:
    return str(make_header(decode_header(str(value))))


def _payload(part: "Message[str, str]") -> None:
    content = part.get_payload(decode=True)
    if part.get_content_maintype() == "text" and isinstance(content, bytes):
        content.decode(part.get_content_charset("utf-8"), "replace")


FULL: dict[str, Reader] = {
    "postroom": ours_in_full,
    "email, policy.default": default_in_full,
    "email, compat32": compat32_in_full,
    "fast-mail-parser": fast_in_full,
}
SHORT: dict[str, Reader] = {
    "postroom": ours_in_short,
    "email, policy.default": default_in_short,
    "email, compat32": compat32_in_short,
    "fast-mail-parser": fast_in_full,
}
