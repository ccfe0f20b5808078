"""A message as other programs get it: the JSON of `webhook` and `publish`, of keys that stay."""

import json
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from postroom.message import Message
from postroom.message.part import Part
from postroom.model import Model
from postroom.pipeline.outcome import Letter
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import Envelope


class PayloadShape(Model):
    """The message, edited as the rules said."""

    key: str = Field(description="Names what is done to this message: the same at a second try.")
    mailbox: str = Field(description="The mailbox that it came from.")
    received: str = Field(description="When it came (ISO 8601).")
    envelope: Envelope = Field(description="`sender` and `recipients`; a sender of `null` is not known.")
    message: dict[str, Any] = Field(description="Header and structure, as below.")
    text: str | None = Field(description="The plain text of the body.")
    html: str | None = Field(description="The HTML of the body.")
    cut: bool = Field(description="Whether `text` or `html` was longer than `limits: {match: …}` and ends early.")


class WebhookShape(Model):
    """The body of a webhook with `send: json`; the part `message` of `send: multipart`."""

    type: Literal["message.received"] = Field(default="message.received", description="What happened.")
    timestamp: str = Field(description="When it happened: `received`.")
    data: PayloadShape = Field(description="To whom.")


def payload(letter: Letter, tools: Tools) -> PayloadShape:
    """What there is to tell of a message; the contents of attachments are not in it."""
    message = letter.message
    text, html = _cut(message.text, tools), _cut(message.html, tools)
    return PayloadShape(
        key=letter.key,
        mailbox=letter.mailbox,
        received=letter.received.isoformat(),
        envelope=letter.envelope,
        message=message.model_dump(mode="json"),
        text=text,
        html=html,
        cut=(text, html) != (message.text, message.html),
    )


def webhook_json(letter: Letter, tools: Tools) -> bytes:
    """WebhookShape as octets, the same for the same message."""
    told = payload(letter, tools)
    return encoded(WebhookShape(timestamp=told.received, data=told).model_dump(mode="json"))


def encoded(value: object) -> bytes:
    """JSON in UTF-8; what no UTF-8 can carry becomes a question mark."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")


def attached(message: Message) -> Iterator[tuple[str, str, Part]]:
    """Every attachment with a name and a media type that are safe to write into a header."""
    from postroom.message.names import safe_name

    for part in message.attachments:
        name = safe_name(part.filename or "", "attachment")
        kind = part.content_type if _is_media_type(part.content_type) else "application/octet-stream"
        yield name, kind, part


def _is_media_type(text: str) -> bool:
    kind, slash, subtype = text.partition("/")
    safe = all(char.isascii() and (char.isalnum() or char in "!#$&^_.+-") for char in kind + subtype)
    return bool(kind and slash and subtype) and safe and len(text) <= 127


def _cut(text: str | None, tools: Tools) -> str | None:
    return text if text is None else text[: tools.match_limit]
