"""A pure relay tells a sender of what went nowhere, and only one for whom its own domain stands (RFC 3464)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from postroom import testing
from postroom.message import parse
from postroom.steps.bounce import BounceEffect, Failure
from servers.smtp import EXTENSIONS, Smtp
from wire.outgoing.conftest import MESSAGE, Site
from wire.outgoing.relays import SENDER, Relay


def refuse(server: Smtp) -> None:
    server.answers["RCPT TO:<bob@"] = "550 5.1.1 <bob@example.net>: nobody of this name"


def test_a_sender_whose_domain_signed_the_message_is_told(
    relay: Relay, server: Smtp, signed: Callable[[bytes], bytes]
) -> None:
    refuse(server)
    assert relay.take(signed(MESSAGE)) == "dead"
    [bounce] = server.received
    assert (bounce.sender, bounce.recipients) == ("", [SENDER])
    told = parse(bounce.content)
    assert told.is_bounce
    assert told.is_auto_submitted
    assert [part.content_type for part in told.parts[1:]] == [
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    assert b"Final-Recipient: rfc822; bob@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n" in bounce.content
    assert b"Lunch at one" not in bounce.content


@pytest.mark.parametrize(
    ("message", "sender"),
    [
        (MESSAGE, ""),
        (MESSAGE, "eve@evil.example"),
        (MESSAGE.replace(b"From:", b"Auto-Submitted: auto-replied\nFrom:"), SENDER),
        (MESSAGE.replace(b"From:", b"List-Id: <l.home.example>\nFrom:"), SENDER),
        (MESSAGE.replace(b"From:", b"Precedence: bulk\nFrom:"), SENDER),
    ],
    ids=["<>", "another's domain", "auto-submitted", "list", "bulk"],
)
def test_nobody_else_is_told(
    relay: Relay, server: Smtp, signed: Callable[[bytes], bytes], message: bytes, sender: str
) -> None:
    refuse(server)
    assert relay.take(signed(message), sender) == "dead"
    assert server.received == []


def test_an_unsigned_message_is_no_ones_and_show_says_so(relay: Relay, server: Smtp, tmp_path: Path) -> None:
    refuse(server)
    assert relay.take(MESSAGE) == "dead"
    assert server.received == []
    told = "bounce jane@home.example: done (nobody is told: nothing proves that the sender is who it says)"
    assert told in Site(tmp_path).shown()


def test_a_changed_message_is_no_ones(relay: Relay, server: Smtp, signed: Callable[[bytes], bytes]) -> None:
    refuse(server)
    assert relay.take(signed(MESSAGE).replace(b"Lunch", b"Dinner")) == "dead"
    assert server.received == []


@pytest.mark.parametrize("do", [[{"subject": {"prefix": "[x] "}}, {"forward": "bob@example.net"}, "discard"]])
def test_a_signature_counts_that_our_own_rules_broke(
    relay: Relay, server: Smtp, signed: Callable[[bytes], bytes]
) -> None:
    refuse(server)
    assert relay.take(signed(MESSAGE)) == "dead"
    [bounce] = server.received
    assert b"\r\nSubject: Sunday\r\n" in bounce.content


@pytest.mark.parametrize("do", [[{"forward": {"to": "bob@example.net", "server": "inside"}}, "discard"]])
def test_a_report_goes_out_through_the_server_for_mail_to_strangers(
    relay: Relay, server: Smtp, inside: Smtp, signed: Callable[[bytes], bytes]
) -> None:
    """The one that failed may be the LMTP server of our own users."""
    refuse(inside)
    assert relay.take(signed(MESSAGE)) == "dead"
    assert [one.recipients for one in server.received] == [[SENDER]]
    assert inside.received == []


@pytest.mark.parametrize("do", [[{"reject": {"text": "no {{ subject }} here", "code": "5.7.7"}}]])
def test_a_rejection_that_nobody_heard_is_reported(
    relay: Relay, server: Smtp, signed: Callable[[bytes], bytes]
) -> None:
    assert relay.take(signed(MESSAGE)) == "dead"
    [bounce] = server.received
    assert (bounce.sender, bounce.recipients) == ("", [SENDER])
    assert b"Final-Recipient: rfc822; you@home.example\r\nAction: failed\r\nStatus: 5.7.7\r\n" in bounce.content
    assert b"Diagnostic-Code: smtp; 550 5.7.7 no Sunday here\r\n" in bounce.content
    assert relay.take(MESSAGE, "eve@evil.example") == "dead"
    assert len(server.received) == 1


def test_a_report_that_cannot_be_sent_is_a_dead_letter_that_says_so_and_is_never_reported(
    relay: Relay, server: Smtp, signed: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    server.answers["RCPT"] = "550 5.1.1 nobody"
    assert relay.take(signed(MESSAGE)) == "dead"
    assert server.received == []
    shown = relay.ledger.show(1)
    assert shown is not None
    assert [(one.record.word, one.state.value) for one in shown.effects] == [("forward", "dead"), ("bounce", "dead")]
    site = Site(tmp_path)
    assert "bounce jane@home.example: dead (its sender does not know: the server says to RCPT: 550 5.1.1 nobody)" in (
        site.shown()
    )
    assert "to do     mend that, then `postroom replay 1`, else `postroom drop 1`" in site.shown()
    assert b"550 5.1.1 nobody; its sender does not know\n" in site.run("messages", "--dead").stdout
    assert b"dead letters  1, see `postroom messages --dead`" in site.run("status").stdout


@pytest.mark.parametrize("mended", ["RCPT", "RCPT TO:<bob@"], ids=["both", "the recipient"])
def test_a_message_that_is_delivered_at_last_brings_no_report_of_before(
    relay: Relay, server: Smtp, signed: Callable[[bytes], bytes], mended: str
) -> None:
    server.answers["RCPT"] = "550 5.1.1 nobody"
    assert relay.take(signed(MESSAGE)) == "dead"
    if mended == "RCPT":
        server.answers.clear()
    server.answers[mended] = "250 ok"
    assert relay.replay(1) == "settled"
    assert [one.recipients for one in server.received] == [["bob@example.net"]]


def test_a_report_that_could_not_be_sent_is_made_anew_when_the_message_fails_again(
    relay: Relay, server: Smtp, signed: Callable[[bytes], bytes]
) -> None:
    server.answers["RCPT"] = "550 5.1.1 nobody"
    assert relay.take(signed(MESSAGE)) == "dead"
    server.answers.clear()
    server.answers["RCPT TO:<bob@"] = "550 5.2.2 full"
    for _ in range(2):
        assert relay.replay(1) == "dead"
        [bounce] = server.received
        assert b"550 5.2.2 full" in bounce.content


def test_a_sender_who_was_told_is_told_again_only_where_the_rules_decide_anew(
    relay: Relay, server: Smtp, signed: Callable[[bytes], bytes]
) -> None:
    refuse(server)
    assert relay.take(signed(MESSAGE)) == "dead"
    assert relay.replay(1) == "dead"
    assert [one.recipients for one in server.received] == [[SENDER]]
    assert relay.replay(1, again=True) == "dead"
    assert [one.recipients for one in server.received] == [[SENDER], [SENDER]]
    server.answers.clear()
    assert relay.replay(1) == "settled"
    assert [one.recipients for one in server.received] == [[SENDER], [SENDER], ["bob@example.net"]]


def test_what_was_delivered_brings_no_report(relay: Relay, server: Smtp, signed: Callable[[bytes], bytes]) -> None:
    assert relay.take(signed(MESSAGE)) == "settled"
    assert [one.recipients for one in server.received] == [["bob@example.net"]]


@pytest.mark.parametrize("do", [[{"file": "copies"}, {"forward": "bob@example.net"}]])
def test_what_lives_elsewhere_brings_no_report_although_forwarding_failed(
    relay: Relay, server: Smtp, signed: Callable[[bytes], bytes]
) -> None:
    refuse(server)
    assert relay.take(signed(MESSAGE)) == "dead"
    assert server.received == []


@pytest.mark.parametrize(("uncertain", "sent"), [(False, 1), (True, 0)], ids=["first try", "after a crash"])
def test_a_report_that_may_have_been_sent_is_not_sent_twice(
    relay: Relay, server: Smtp, signed: Callable[[bytes], bytes], uncertain: bool, sent: int
) -> None:
    failures = (Failure(recipient="bob@example.net", reason="550 5.1.1 nobody"),)
    effect = BounceEffect(to=SENDER, server="relay", failures=failures)
    effect.perform(testing.letter(signed(MESSAGE), uncertain=uncertain), relay.tools)
    assert len(server.received) == sent


def test_a_report_whose_answer_was_lost_is_not_sent_twice(
    relay: Relay, server: Smtp, signed: Callable[[bytes], bytes]
) -> None:
    refuse(server)
    server.lost.add(".")
    assert relay.take(signed(MESSAGE)) == "dead"
    assert len(server.received) == 1


@pytest.mark.parametrize("extensions", [EXTENSIONS, ()], ids=["all extensions", "none"])
def test_a_message_that_no_server_takes_is_reported_to_every_server(
    relay: Relay, server: Smtp, signed: Callable[[bytes], bytes], extensions: tuple[str, ...]
) -> None:
    """A line that is too long, and octets that are no ASCII, do not stop the report about them."""
    server.extensions = extensions
    awkward = MESSAGE.replace(b"To:", b"X-Long: " + b"y" * 2000 + "\nX-Octets: grün\nTo:".encode())
    assert relay.take(signed(awkward)) == "dead"
    [bounce] = server.received
    assert bounce.content.isascii()
    assert max(map(len, bounce.content.splitlines())) <= 998
    assert b"Subject: Sunday" in bounce.content
