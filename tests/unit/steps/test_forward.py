"""The step `forward`: who gets what, under which envelope, and what the server says to it."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from postroom import testing
from postroom.errors import Permanent, Temporary, Uncertain
from postroom.message import parse
from postroom.pipeline.outcome import Note
from postroom.pipeline.outgoing import Reply
from postroom.pipeline.view import Envelope
from postroom.testing import Transport
from unit.steps.forwarding import BOB, SRS, Site, envelope


def test_the_message_goes_on_as_it_came_below_lines_of_ours() -> None:
    site, raw = Site(), b"From: a\nSubject: hi\n  folded\nX: \xe9\n\nBody \xe9\n.\n"
    receipt = site.forward(raw)
    assert site.content.endswith(raw)
    top = parse(site.content[: -len(raw)])
    assert [header.name for header in top.headers] == ["Received", "X-Postroom-Trace"]
    assert (site.mail.sender, site.mail.recipients) == ("ann@example.org", (BOB,))
    assert receipt.queue_id == "Q1"


def test_return_path_is_dropped_and_what_the_listener_wrote_stays() -> None:
    site, raw = Site(), b"Return-Path: <x@y.example>\r\nA: b\r\nReturn-path: <z>\r\n\r\nbody"
    prefix = b"Return-Path: <ann@example.org>\r\nReceived: from there\r\nDelivered-To: me@example.com\r\n"
    site.forward(raw, letter=testing.letter(raw, prefix=prefix))
    assert site.content.endswith(b"Received: from there\r\nDelivered-To: me@example.com\r\nA: b\r\n\r\nbody")
    assert b"return-path" not in site.content.lower()


def test_an_mbox_line_is_no_part_of_the_message() -> None:
    site = Site()
    site.forward(b"From ann Sat Jan  3 01:05:34 1996\nA: b\n\nbody")
    assert site.content.endswith(b"\r\nA: b\n\nbody")
    assert b"From ann" not in site.content


def test_a_message_without_header_gets_an_empty_line_below_ours() -> None:
    site = Site()
    site.forward(b"just text, no header")
    assert parse(site.content).headers.get("X-Postroom-Trace")
    assert site.content.endswith(b"\r\n\r\njust text, no header")


def test_several_recipients_are_several_effects() -> None:
    made = Site().effects(to=["a@example.net", "b@example.net", "a@example.net"])
    assert [one.to for one in made] == ["a@example.net", "b@example.net"]


@pytest.mark.parametrize(
    ("sender", "expected"),
    [("ann@example.org", "SRS0=…=example.org=ann@ours.example"), ("", ""), ("me@ours.example", "me@ours.example")],
)
def test_the_sender_is_rewritten_and_the_null_one_stays_null(sender: str, expected: str) -> None:
    site = Site(srs=SRS)
    site.forward(view=envelope(sender))
    made = site.mail.sender.split("=")
    told = "=".join([made[0], "…", *made[3:]]) if len(made) > 3 else site.mail.sender
    assert told == expected


def test_the_sender_may_stay_as_it_is() -> None:
    site = Site(srs=SRS)
    site.forward(srs=False)
    assert site.mail.sender == "ann@example.org"


@pytest.mark.parametrize(
    ("raw", "options", "expected"),
    [
        (b"Return-Path: <ann@example.org>\n\n", {}, "ann@example.org"),
        (b"Return-Path: <>\n\n", {"from": "me@example.com"}, ""),
        (b"From: ann@example.org\n\n", {}, ""),
        (b"From: ann@example.org\n\n", {"from": "me@example.com"}, "me@example.com"),
    ],
)
def test_where_the_source_knew_no_sender_the_last_server_may_have(
    raw: bytes, options: dict[str, str], expected: str
) -> None:
    site = Site()
    site.forward(view=testing.view(raw, envelope=Envelope()), letter=testing.letter(raw), **options)
    assert site.mail.sender == expected


def test_a_bounce_to_a_return_path_of_ours_goes_to_whom_it_is_for() -> None:
    to = SRS.rewritten("ann@example.org", testing.NOW)
    [effect] = Site(srs=SRS).effects(
        to="{{ recipient }}",
        allow="srs*@ours.example",
        view=testing.view(envelope=Envelope(sender="", recipients=(to,))),
    )
    assert (effect.to, effect.sender) == ("ann@example.org", "")


# Recipients that come from a message.


def test_a_recipient_that_comes_from_a_message_needs_allow() -> None:
    with pytest.raises(ValidationError, match="allow"):
        Site().outcomes(to="{{ from }}")


@pytest.mark.parametrize("to", ["{{ from.local }}@example.net", "{{ subject }}"])
def test_a_recipient_that_is_not_allowed_fails_for_good(to: str) -> None:
    [note, effect] = Site().outcomes(
        testing.message(subject="eve@evil.example, x@example.org"), to=to, allow="*@example.org"
    )
    assert isinstance(note, Note)
    with pytest.raises(Permanent):
        effect.perform(testing.letter(), Site().tools)


def test_nothing_in_a_message_gets_a_line_into_the_envelope() -> None:
    raw = testing.message(headers={"X": "y"}, subject="=?utf-8?q?a=40example=2Eorg=0D=0ADATA?=")
    for effect in Site().effects(raw, to="{{ subject }}", allow="*"):
        assert not any(char in effect.to for char in "\r\n ")


# What the server says.


@pytest.mark.parametrize(("code", "error"), [(450, Temporary), (550, Permanent), (0, Uncertain)])
def test_a_reply_decides_whether_to_come_again(code: int, error: type[Exception]) -> None:
    site = Site(Transport(replies={BOB: Reply(code=code, text="no")}))
    with pytest.raises(error):
        site.forward()


def test_a_server_that_holds_is_not_asked_again_after_a_lost_answer() -> None:
    site = Site(Transport(replies={BOB: Reply(code=0)}, holds=True))
    with pytest.raises(Uncertain) as raised:
        site.forward()
    assert raised.value.holds
    with pytest.raises(Uncertain) as raised:
        site.forward(letter=testing.letter(uncertain=True))
    assert raised.value.holds
    assert len(site.server.sent) == 1


def test_a_mail_has_the_same_key_at_a_second_try() -> None:
    site = Site()
    site.forward(letter=testing.letter(key="K" * 26))
    assert site.mail.key == "K" * 26


def test_a_rewritten_sender_is_fresh_at_each_try() -> None:
    later = Site(srs=SRS, clock=lambda: testing.NOW + timedelta(days=30))
    [effect] = Site(srs=SRS).effects()
    effect.perform(testing.letter(), later.tools)
    assert SRS.reversed(later.mail.sender, testing.NOW + timedelta(days=31)) == "ann@example.org"
