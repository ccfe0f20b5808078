"""Clients that want too much, say too little, or never stop."""

import os
import resource
from pathlib import Path

from waiting import until

LETTER = b"Subject: Lunch\r\n\r\nSunday?\r\n"
ENVELOPE = b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.com>\r\nDATA\r\n"


def endures(client, octets: bytes) -> bool:
    """Whether it can be told more."""
    try:
        client.say(octets)
    except OSError:
        return False
    return True


def test_more_connections_than_allowed_are_told_to_come_again(posts) -> None:
    post = posts(**{"max-connections": 2})
    with post.client() as first, post.client() as second:
        first.greeted()
        second.greeted()
        with post.client() as third:
            assert third.hear().startswith(b"421 ")
            assert third.hear() == b""
        first.ask(b"QUIT")
        assert first.hear() == b""
        with post.client() as fourth:
            fourth.greeted()


def test_more_recipients_than_allowed_are_left_for_the_next_time(posts, desk) -> None:
    with posts(**{"max-recipients": 2}).client() as client:
        client.greeted().ask(b"MAIL FROM:<>")
        replies = [client.ask(b"RCPT TO:<%d@example.com>" % number) for number in range(3)]
        assert [reply[:9] for reply in replies] == [b"250 2.1.5", b"250 2.1.5", b"452 4.5.3"]
        client.ask(b"DATA")
        client.say(LETTER + b".\r\n")
        assert client.heard(2) == [250, 250]
    assert len(desk.rows()) == 2


def test_a_line_that_is_too_long_is_refused_and_the_next_one_heard(posts) -> None:
    with posts().client() as client:
        client.greeted()
        assert client.ask(b"NOOP " + b"x" * 3000).startswith(b"500 5.5.6")
        assert client.ask(b"NOOP " + b"x" * 1_000_000).startswith(b"500 5.5.6")
        assert client.ask(b"NOOP").startswith(b"250")


def test_a_command_ends_in_crlf(posts) -> None:
    with posts().client() as client:
        client.greeted()
        client.say(b"NOOP\n")
        assert client.hear().startswith(b"500 5.5.2")


def test_too_many_errors_end_the_conversation(posts) -> None:
    with posts().client() as client:
        client.greeted()
        client.say(b"NONSENSE\r\n" * 30)
        codes = client.heard(21)
        assert codes == [500] * 20 + [421]
        assert client.hear() == b""


def test_endless_chatter_ends_the_conversation(posts) -> None:
    with posts().client() as client:
        client.greeted()
        client.say(b"NOOP\r\n" * 150)
        assert client.heard(101) == [250] * 100 + [421]


def test_a_hundred_unknown_recipients_hear_a_hundred_replies(posts, desk) -> None:
    with posts().client() as client:
        client.greeted().ask(b"MAIL FROM:<>")
        client.say(b"RCPT TO:<x@example.net>\r\n" * 150)
        assert client.heard(150) == [550] * 150
        assert client.ask(b"RCPT TO:<ann@example.com>").startswith(b"250")


def test_a_silent_client_is_let_go(posts) -> None:
    with posts(idle="0.3s").client() as client:
        assert client.hear().startswith(b"220 ")
        assert client.hear().startswith(b"421 4.4.2")
        assert client.hear() == b""


def test_a_client_that_falls_silent_within_data_is_let_go_and_leaves_nothing(posts, desk) -> None:
    desk.inline = 10
    with posts(idle="1s").client() as client:
        client.say(ENVELOPE + b"x" * 100_000)
        assert client.heard(6) == [220, 250, 250, 250, 354, 421]
    assert desk.rows() == []
    until(lambda: not list(desk.spool._directory.glob("tmp/*")))


def test_a_client_that_trickles_is_let_go(posts, desk) -> None:
    with posts(idle="1s").client() as client:
        client.say(ENVELOPE)
        until(lambda: not endures(client, b"x"), pause=0.05)
    assert desk.rows() == []


def test_a_client_that_hears_nothing_is_let_go(posts) -> None:
    post = posts(idle="1s")
    with post.client() as client:
        until(
            lambda: not endures(client, b"MAIL FROM:<>\r\nRCPT TO:<x@example.net>\r\nRSET\r\nDATA x\r\n" * 100), pause=0
        )
        with post.client() as other:
            assert other.hear().startswith(b"220 ")


def test_a_client_that_goes_away_within_data_leaves_nothing(posts, desk) -> None:
    desk.inline = 10
    post = posts()
    with post.client() as client:
        client.greeted().envelope()
        client.say(b"x" * 100_000)
        until(lambda: bool(list(desk.spool._directory.glob("tmp/*"))))
    until(lambda: not list(desk.spool._directory.glob("tmp/*")))
    assert desk.rows() == []


def test_a_full_disk_is_452_for_each_recipient_and_no_row(posts, desk) -> None:
    desk.inline = 10
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with posts().client() as client:
        client.greeted().envelope("ann@example.com", "bob@example.com")
        before = desk.ledger.counts()
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
        try:
            client.say(b"x" * 900_000 + b"\r\n.\r\n")
            assert client.heard(2) == [452, 452]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert desk.ledger.counts().messages == before.messages
        client.envelope()
        client.say(LETTER + b".\r\n")
        assert client.heard(1) == [250]
    assert not [path for path in desk.spool._directory.rglob("*") if path.is_file()] or len(desk.rows()) == 1


def test_an_idle_listener_leaks_no_descriptors(posts) -> None:
    post = posts()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        with post.client() as client:
            client.greeted().ask(b"QUIT")
    until(lambda: len(os.listdir("/proc/self/fd")) <= before)
    assert Path("/proc/self/fd").is_dir()
