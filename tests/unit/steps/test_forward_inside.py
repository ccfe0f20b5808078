"""The step `forward`: messages inside of ours, and fields that say who sent them on."""

from typing import Any

import pytest
from pydantic import ValidationError

from postroom import testing
from postroom.message import parse
from unit.steps.forwarding import Site, envelope


def test_resent_fields_say_who_sent_it_on() -> None:
    site = Site()
    site.forward(resent=True, **{"from": "me@example.com"})
    names = [header.name for header in parse(site.content).headers][2:6]
    assert names == ["Resent-Date", "Resent-From", "Resent-To", "Resent-Message-ID"]


@pytest.mark.parametrize("options", [{"mode": "attach"}, {"mode": "inline"}, {"resent": True}])
def test_a_message_of_ours_needs_an_address_of_ours(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="from"):
        Site().outcomes(**options)


@pytest.mark.parametrize(
    "raw", [testing.message(subject="Grüße", text="ä\n"), b"From: x\nA: \xff\n\n--=_" + b"A" * 26 + b"_0--\n"]
)
def test_attached_it_is_whole(raw: bytes) -> None:
    site = Site()
    site.forward(raw, mode="attach", **{"from": "me@example.com"})
    made = parse(site.content)
    [note, attached] = [part for part in made.parts if part.parent == 0]
    assert attached.content_type == "message/rfc822"
    assert site.content[attached.body_start : attached.end] == raw
    assert made.headers.get("From") == "me@example.com"
    assert made.is_auto_submitted
    assert site.mail.sender == "me@example.com"
    assert note.is_body


def test_inline_its_text_can_be_read_and_its_attachments_are_there() -> None:
    raw = testing.message(subject="Grüße", text="Hallö.\n", attachments=["a.pdf", "b.png"])
    site = Site()
    site.forward(raw, mode="inline", **{"from": "me@example.com"})
    made = parse(site.content)
    assert made.subject == "Fwd: Grüße"
    assert "From: Ann <ann@example.org>" in made.body
    assert "Hallö." in made.body
    assert [(part.filename, part.content) for part in made.attachments] == [
        (part.filename, part.content) for part in parse(raw).attachments
    ]


def test_a_bounce_in_a_message_of_ours_stays_one() -> None:
    site = Site()
    site.forward(view=envelope(""), mode="attach", **{"from": "me@example.com"})
    assert site.mail.sender == ""
