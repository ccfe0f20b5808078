"""The step `forward`: who gets what, under which envelope, and what stops a loop."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from postroom import steps, testing
from postroom.errors import Permanent, Temporary, Uncertain
from postroom.message import parse
from postroom.pipeline.outcome import Effect, Note, Receipt
from postroom.pipeline.outgoing import Mail, Reply
from postroom.pipeline.view import Envelope
from postroom.steps.forward import ForwardEffect
from postroom.testing import Failures, Names, Seal, Transport
from postroom.transports.srs import Srs

BOB = "bob@example.net"
SRS = Srs(domain="ours.example", secrets=[b"secret"])


class Site:
    """A server in memory, and what forwarding needs beside it."""

    def __init__(self, server: Transport | None = None, **tools: Any) -> None:
        self.server = server or Transport()
        self.tools = testing.tools(servers={"relay": self.server}, resolver=Names, **tools)

    def outcomes(self, raw: bytes | None = None, *, view: Any = None, **options: Any) -> list[Any]:
        step = steps.step("forward").model_validate({"to": BOB, "server": "relay", **options})
        return [*step.plan(view or testing.view(raw), self.tools)]

    def effects(self, raw: bytes | None = None, **options: Any) -> list[ForwardEffect]:
        found = [one for one in self.outcomes(raw, **options) if isinstance(one, Effect)]
        again = [steps.effect(one.word).model_validate_json(one.model_dump_json()) for one in found]
        assert again == found
        return [one for one in again if isinstance(one, ForwardEffect)]

    def forward(self, raw: bytes | None = None, *, letter: Any = None, **options: Any) -> Receipt:
        [effect] = self.effects(raw, **options)
        letter = letter or testing.letter(raw)
        receipt = effect.perform(letter, self.tools)
        if (known := receipt.remembered) is not None:  # as the worker does, in the commit of the receipt
            self.tools.memory.remember(known.space, known.key, letter.key, known.period)
        return receipt

    @property
    def mail(self) -> Mail:
        [mail] = self.server.sent
        return mail

    @property
    def content(self) -> bytes:
        return b"".join(self.mail.chunks)


def envelope(sender: str | None) -> Any:
    return testing.view(envelope=Envelope(sender=sender, recipients=("me@example.com",)))


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


# Loops (RFC 5321 6.3).


@pytest.mark.parametrize(
    "headers",
    [{"Delivered-To": ["x@y.example", "Bob@Example.net"]}, {"Received": ["from a by b; today"] * 50}],
    ids=["Delivered-To", "Received"],
)
def test_what_goes_round_fails_for_good_and_explain_says_why(headers: dict[str, Any]) -> None:
    site = Site()
    [note, effect] = site.outcomes(testing.message(headers=headers))
    assert isinstance(note, Note)
    with pytest.raises(Permanent):
        effect.perform(testing.letter(), site.tools)
    assert not site.server.sent


def test_our_own_mark_stops_a_message_that_comes_back() -> None:
    site = Site()
    site.forward()
    [note, _] = site.outcomes(site.content)
    assert note == Note("not forwarded: it has been forwarded to this recipient already")
    [effect] = site.effects(site.content, to="carol@example.net")
    assert not effect.refused


def test_a_mark_that_others_made_or_that_is_of_another_message_says_nothing() -> None:
    theirs = Site(seal=Seal("theirs"))
    theirs.forward()
    assert not Site().effects(theirs.content)[0].refused
    ours = Site()
    ours.forward()
    other = ours.content.replace(b"<1@example.org>", b"<2@example.org>")
    assert not Site().effects(other)[0].refused


def test_a_message_is_forwarded_from_here_four_times_at_most() -> None:
    content = testing.message()
    for number in range(4):
        site = Site()
        site.forward(content, to=f"b{number}@example.net")
        content = site.content
    [note, _] = Site().outcomes(content)
    assert "4 times" in note.text


def test_the_same_message_goes_to_a_recipient_once_also_when_it_comes_twice() -> None:
    site = Site()
    site.forward(letter=testing.letter(key="A" * 26))
    assert site.forward(letter=testing.letter(key="B" * 26)).repeated
    assert len(site.server.sent) == 1


def test_a_person_who_replays_a_message_means_it() -> None:
    site = Site()
    site.forward()
    assert not site.forward().repeated
    assert len(site.server.sent) == 2


def test_what_failed_is_not_remembered() -> None:
    site = Site(Transport(failures=Failures({1})))
    with pytest.raises(Temporary):
        site.forward()
    assert not site.forward().repeated


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


# In a message of ours.


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


@pytest.mark.parametrize("mode", ["attach", "inline"])
def test_our_own_mark_stops_a_message_of_ours_that_comes_back(mode: str) -> None:
    site = Site()
    site.forward(mode=mode, **{"from": "me@example.com"})
    [note, _] = site.outcomes(site.content, mode=mode, **{"from": "me@example.com"})
    assert note == Note("not forwarded: it has been forwarded to this recipient already")


@pytest.mark.parametrize("mode", ["attach", "inline"])
def test_two_sites_that_send_messages_of_theirs_to_each_other_stop(mode: str) -> None:
    content, rounds = testing.message(), 0
    while rounds < 10:
        site = Site(seal=Seal(f"site {rounds % 2}"), host=f"site{rounds % 2}.example")
        options = {"mode": mode, "to": f"to{rounds}@example.net", "from": "me@example.com"}
        if site.effects(content, **options)[0].refused:
            break
        site.forward(content, letter=testing.letter(content, key=f"K{rounds}" * 13), **options)
        content, rounds = site.content, rounds + 1
    assert rounds == 4
