"""A whole Postfix relays into our listeners, over SMTP and LMTP: what it hears decides what becomes of its queue."""

import smtplib
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from postroom.errors import Temporary
from postroom.message import parse
from postroom.testing import Failures
from servers import postfix
from waiting import until

LETTER = (
    b"From: bob@example.org\r\nTo: ann@example.com\r\nSubject: Lunch\r\nMessage-ID: <1@x>\r\n"
    b"Date: Sun, 01 Mar 2026 12:00:00 +0000\r\n\r\nSunday?\r\n"
)


@pytest.fixture(params=["smtp", "lmtp"])
def relay(request, posts) -> Iterator[Callable[..., None]]:
    """Sends a message by way of a Postfix that relays to our listener."""
    if not postfix.is_installed():
        pytest.skip("needs root and Postfix: apt-get install postfix")
    with ExitStack() as stack:
        post = posts(f"{request.param}://127.0.0.1:0")
        port = stack.enter_context(postfix.relaying(post.listener.port, over=request.param))

        def send(*recipients: str, letter: bytes = LETTER, sender: str = "bob@example.org") -> None:
            with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
                assert client.sendmail(sender, recipients or ["ann@example.com"], letter) == {}

        yield send


def arrived(desk, number: int):
    """The rows, once there are so many."""
    until(lambda: len(desk.rows()) >= number, told=lambda: f"{len(desk.rows())} have come", pause=0.05)
    return desk.rows()


def test_a_message_comes_in_as_postfix_has_it(relay, desk) -> None:
    relay()
    [row] = arrived(desk, 1)
    assert (row.sender, row.recipients) == ("bob@example.org", ("ann@example.com",))
    taken = desk.bytes_of(row)
    assert taken.endswith(LETTER)
    assert b"by next.example (Postfix)" in taken
    assert row.prefix.startswith(b"Return-Path: <bob@example.org>\r\nReceived: from next.example ([127.0.0.1])\r\n")


def test_recipients_of_one_message_have_their_own_rows(relay, desk) -> None:
    recipients = [f"user{number}@example.com" for number in range(20)]
    relay(*recipients)
    assert sorted(row.recipients[0] for row in arrived(desk, 20)) == sorted(recipients)


def test_a_recipient_that_we_refuse_is_reported_by_postfix_from_the_null_sender(relay, desk) -> None:
    relay("ann@example.com", "nobody@example.net", sender="carl@example.com")
    rows = arrived(desk, 2)
    assert [row.recipients for row in rows if row.sender] == [("ann@example.com",)]
    [report] = [row for row in rows if not row.sender]
    assert (report.sender, report.recipients) == ("", ("carl@example.com",))
    assert parse(desk.bytes_of(report)).is_bounce
    assert b"550 5.1.1" in desk.bytes_of(report)


def test_what_we_could_not_take_now_comes_again_and_only_that(relay, desk) -> None:
    desk.taking = Failures({1}, error=lambda: Temporary("locked"))
    relay()
    relay("bob@example.com")
    rows = arrived(desk, 2)
    assert sorted(row.recipients[0] for row in rows) == ["ann@example.com", "bob@example.com"]
    assert 451 in desk.codes


def test_no_variant_of_the_final_dot_smuggles_a_message_through_postfix(relay, desk) -> None:
    smuggled = b"MAIL FROM:<eve@evil.example>\r\nRCPT TO:<ann@example.com>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n"
    endings = (b"\n.\n", b"\r.\r", b"\r\n.\r", b"\n.\r\n", b"\r\n.\n")
    for ending in endings:
        relay(letter=LETTER + b"before" + ending + smuggled)
    rows = arrived(desk, len(endings))
    relay(letter=LETTER)  # what comes after them is a message of its own
    rows = arrived(desk, len(endings) + 1)
    assert {row.sender for row in rows} == {"bob@example.org"}
    assert [desk.bytes_of(row).count(b"Subject: smuggled") for row in rows] == [1] * len(endings) + [0]
