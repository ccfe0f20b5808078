"""The same listener in SMTP: EHLO, HELO, and one reply."""

from postroom.ledger.rows import Refused
from postroom.testing import Failures

LETTER = b"Subject: Lunch\r\n\r\nSunday?\r\n"


def test_smtp_answers_once_for_all_recipients(posts, desk) -> None:
    with posts("smtp://127.0.0.1:0").client() as client:
        client.greeted(b"EHLO").envelope("ann@example.com", "bob@example.com")
        client.say(LETTER + b".\r\n")
        assert client.heard(1) == [250]
        assert client.silent()
        assert client.ask(b"LHLO x").startswith(b"500")
    assert [row.recipients for row in desk.rows()] == [("ann@example.com",), ("bob@example.com",)]
    assert b"with ESMTP id" in desk.rows()[0].prefix


def test_smtp_answers_once_for_a_failure(posts, desk) -> None:
    desk.taking = Failures({1})
    with posts("smtp://127.0.0.1:0").client() as client:
        client.greeted(b"EHLO").envelope("ann@example.com", "bob@example.com")
        client.say(LETTER + b".\r\n")
        assert client.heard(1) == [451]
        assert client.silent()
    assert desk.rows() == []
    assert Refused


def test_helo_is_answered_in_one_line_and_the_stamp_tells(posts, desk) -> None:
    with posts("smtp://127.0.0.1:0").client() as client:
        client.hear()
        assert client.ask(b"HELO client.example") == b"250 mx.example.com\r\n"
        client.envelope()
        client.say(LETTER + b".\r\n")
        assert client.heard(1) == [250]
    assert b"with SMTP id" in desk.rows()[0].prefix


def test_strangers_who_guess_recipients_are_let_go(posts) -> None:
    with posts("smtp://127.0.0.1:0").client() as client:
        client.greeted(b"EHLO").ask(b"MAIL FROM:<>")
        client.say(b"RCPT TO:<x@example.net>\r\n" * 150)
        assert client.heard(101)[-2:] == [550, 421]


def test_an_international_message_is_stamped_so(posts, desk) -> None:
    with posts("smtp://127.0.0.1:0").client() as client:
        client.greeted(b"EHLO")
        client.say("MAIL FROM:<bøb@example.org> SMTPUTF8\r\nRCPT TO:<ænn@example.com>\r\nDATA\r\n".encode())
        assert client.heard(3) == [250, 250, 354]
        client.say(LETTER + b".\r\n")
        assert client.heard(1) == [250]
    [row] = desk.rows()
    assert (row.sender, row.recipients) == ("bøb@example.org", ("ænn@example.com",))
    assert b"with UTF8SMTP id" in row.prefix
    assert row.store == "/srv/mail/example.com/ænn"
