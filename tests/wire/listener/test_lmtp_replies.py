"""What a client hears: one reply for each recipient, whatever happens."""

import pytest

from postroom.errors import Temporary
from postroom.testing import Failures

LETTER = b"Subject: Lunch\r\n\r\nSunday?\r\n"


def test_a_message_is_acknowledged_with_its_number_and_lies_in_the_ledger(posts, desk) -> None:
    with posts().client() as client:
        client.greeted().envelope()
        client.say(LETTER + b".\r\n")
        reply = client.hear()
    [row] = desk.rows()
    assert reply == b"250 2.0.0 queued as %d\r\n" % row.id
    assert desk.bytes_of(row) == LETTER
    assert (row.sender, row.recipients, row.store, row.pipeline) == (
        "bob@example.org", ("ann@example.com",), "/srv/mail/ann", "quickstart",
    )  # fmt: skip


def test_semantics_4_lmtp_is_greeted_with_lhlo_only(posts) -> None:
    with posts().client() as client:
        client.hear()
        assert client.ask(b"HELO client.example").startswith(b"500 ")
        assert client.ask(b"EHLO client.example").startswith(b"500 ")
        assert client.ask(b"MAIL FROM:<>").startswith(b"503 ")
        offer = client.ask(b"LHLO client.example")
    lines = {line[4:] for line in offer.splitlines()}
    assert lines == {
        b"mx.example.com",
        b"PIPELINING",
        b"ENHANCEDSTATUSCODES",
        b"SIZE 1000000",
        b"8BITMIME",
        b"SMTPUTF8",
    }
    assert b"CHUNKING" not in offer


def test_semantics_5_chunking_is_not_offered_and_bdat_is_unknown(posts) -> None:
    with posts().client() as client:
        client.greeted()
        assert client.ask(b"BDAT 10 LAST").startswith(b"500 ")


def test_semantics_4_each_recipient_has_its_reply_in_order_duplicates_included(posts, desk) -> None:
    recipients = ("ann@example.com", "x@support.example.com", "ann@example.com", "bob@example.com")
    with posts().client() as client:
        client.greeted().envelope(*recipients)
        client.say(LETTER + b".\r\n")
        heard = [client.hear() for _ in recipients]
        assert client.silent()
    rows = desk.rows()
    assert heard == [b"250 2.0.0 queued as %d\r\n" % row.id for row in rows]
    assert [row.recipients for row in rows] == [(one,) for one in recipients]
    assert [row.pipeline for row in rows] == ["quickstart", "support", "quickstart", "quickstart"]
    assert rows[3].store == "/srv/mail/example.com/bob"
    assert len({row.blob for row in rows}) == 1
    assert [row.source_key.partition("/")[2] for row in rows] == ["1", "2", "3", "4"]


def test_an_unknown_recipient_is_refused_and_gets_no_reply_after_data(posts, desk) -> None:
    with posts().client() as client:
        client.greeted()
        client.say(
            b"MAIL FROM:<>\r\nRCPT TO:<ann@example.com>\r\nRCPT TO:<x@example.net>\r\nRCPT TO:<bob@example.com>\r\n"
        )
        assert client.heard(4) == [250, 250, 550, 250]
        assert client.ask(b"DATA").startswith(b"354")
        client.say(LETTER + b".\r\n")
        assert client.heard(2) == [250, 250]
        assert client.silent()
    assert [row.recipients for row in desk.rows()] == [("ann@example.com",), ("bob@example.com",)]


def test_semantics_4_data_without_recipients_is_out_of_order(posts) -> None:
    with posts().client() as client:
        client.greeted()
        assert client.ask(b"DATA").startswith(b"503 ")
        assert client.ask(b"RCPT TO:<ann@example.com>").startswith(b"503 ")
        assert client.ask(b"MAIL FROM:<>").startswith(b"250 ")
        assert client.ask(b"MAIL FROM:<>").startswith(b"503 ")
        assert client.ask(b"DATA").startswith(b"503 ")
        assert client.ask(b"RCPT TO:<nobody@example.net>").startswith(b"550 5.1.1")
        assert client.ask(b"DATA").startswith(b"503 ")


@pytest.mark.parametrize(
    ("failing", "code"),
    [("taking", 451), ("storing", 452), ("drafting", 452)],
    ids=["ledger", "disk at the end", "disk at the beginning"],
)
def test_semantics_6_and_44_every_recipient_hears_of_a_failure_and_nothing_is_taken(posts, desk, failing, code) -> None:
    setattr(desk, failing, Failures(range(100)))
    desk.inline = 10 if failing != "taking" else 65536
    recipients = ("ann@example.com", "bob@example.com", "ann@example.com")
    with posts().client() as client:
        client.greeted().envelope(*recipients)
        client.say(b"Subject: big\r\n\r\n" + b"x" * 200_000 + b"\r\n.\r\n")
        assert client.heard(3) == [code] * 3
        assert desk.rows() == []
        setattr(desk, failing, Failures())
        client.envelope(*recipients)
        client.say(LETTER + b".\r\n")
        assert client.heard(3) == [250] * 3
    assert len(desk.rows()) == 3
    assert not list(desk.spool._directory.glob("tmp/*"))


def test_a_bug_of_ours_is_a_temporary_failure_for_each_recipient(posts, desk) -> None:
    desk.taking = Failures({1}, error=lambda: RuntimeError("a bug"))
    post = posts()
    with post.client() as client:
        client.greeted().envelope("ann@example.com", "bob@example.com")
        client.say(LETTER + b".\r\n")
        assert client.heard(2) == [451, 451]
        client.envelope()
        client.say(LETTER + b".\r\n")
        assert client.heard(1) == [250]
    assert [type(found["exception"]) for found in post.complaints] == [RuntimeError]
    post.complaints.clear()


def test_a_message_that_is_announced_as_too_large_is_refused_at_once(posts, desk) -> None:
    with posts().client() as client:
        client.greeted()
        assert client.ask(b"MAIL FROM:<> SIZE=1000001").startswith(b"552 5.3.4")
        assert client.ask(b"MAIL FROM:<> SIZE=1000000").startswith(b"250")


def test_a_message_that_is_too_large_is_read_to_its_end_and_refused_for_each_recipient(posts, desk) -> None:
    with posts().client() as client:
        client.greeted().envelope("ann@example.com", "bob@example.com")
        client.say(b"x" * 1_500_000 + b"\r\n.\r\n")
        assert client.heard(2) == [552, 552]
        client.envelope()
        client.say(LETTER + b".\r\n")
        assert client.heard(1) == [250]
    assert len(desk.rows()) == 1
    assert not list(desk.spool._directory.glob("tmp/*"))


def endures(client, octets: int) -> bool:
    """Whether it can be told so much without an end."""
    try:
        for _ in range(octets // 10_000):
            client.say(b"x" * 10_000)
    except OSError:
        return False
    return True


def test_a_message_that_never_ends_is_cut_off(posts, desk) -> None:
    desk.largest = 1000
    with posts().client() as client:
        client.greeted().envelope()
        assert not endures(client, 100_000_000)
    assert desk.rows() == []


def test_while_there_is_no_room_a_client_is_held_and_then_told_to_come_again(posts, desk) -> None:
    desk.full.set()
    with posts(hold=0.1).client() as client:
        client.greeted()
        client.say(b"MAIL FROM:<>\r\nRCPT TO:<ann@example.com>\r\n")
        client.heard(2)
        assert client.ask(b"DATA").startswith(b"452 4.3.1")
        desk.full.clear()
        assert client.ask(b"DATA").startswith(b"354")
        client.say(LETTER + b".\r\n")
        assert client.heard(1) == [250]


def test_a_filter_gets_one_message_for_all_recipients_that_go_the_same_way(posts, desk) -> None:
    post = posts(
        split="message", recipients=[{"to": "*@support.example.com", "pipeline": "support"}, {"to": "*"}], store="none"
    )
    recipients = ("ann@example.com", "x@support.example.com", "bob@example.com")
    with post.client() as client:
        client.greeted().envelope(*recipients)
        client.say(LETTER + b".\r\n")
        heard = [client.hear() for _ in recipients]
    first, second = desk.rows()
    assert (first.recipients, second.recipients) == (("ann@example.com", "bob@example.com"), ("x@support.example.com",))
    assert heard == [b"250 2.0.0 queued as %d\r\n" % row.id for row in (first, second, first)]
    assert b"for <" not in first.prefix


def test_what_a_client_hears_is_counted(posts, desk) -> None:
    with posts().client() as client:
        client.greeted()
        client.ask(b"NONSENSE")
    assert desk.codes[:3] == [220, 250, 500]


def test_a_failure_of_the_disk_says_nothing_of_our_paths(posts, desk) -> None:
    desk.taking = Failures({1}, error=lambda: Temporary("the file /srv/secret/ledger.db is locked"))
    with posts().client() as client:
        client.greeted().envelope()
        client.say(LETTER + b".\r\n")
        assert client.hear() == b"451 4.3.0 not now, come again\r\n"
