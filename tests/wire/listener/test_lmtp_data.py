"""What arrives: every octet, framed by nothing but CRLF.CRLF, stamped once."""

import re

import pytest

LETTER = b"Subject: Lunch\r\n\r\nSunday?\r\n"


def sent(posts, desk, octets: bytes, *, step: int = 1 << 20, speaking: str = "lmtp") -> bytes:
    """The message that was taken of these octets."""
    with posts(f"{speaking}://127.0.0.1:0").client() as client:
        client.greeted(b"LHLO" if speaking == "lmtp" else b"EHLO").envelope()
        for start in range(0, len(octets), step):
            client.say(octets[start : start + step])
        assert client.heard(1) == [250]
        assert client.ask(b"QUIT").startswith(b"221")
    [row] = desk.rows()
    return desk.bytes_of(row)


@pytest.mark.parametrize("speaking", ["lmtp", "smtp"])
@pytest.mark.parametrize("size", [1, 200_000], ids=["in memory", "in the spool"])
@pytest.mark.parametrize(
    "ending",
    [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n"],
    ids=repr,
)
def test_semantics_7_what_only_looks_like_an_end_smuggles_nothing(posts, desk, ending, size, speaking) -> None:
    smuggled = ending + b"MAIL FROM:<eve@example.org>\r\nRCPT TO:<ann@example.com>\r\nDATA\r\n"
    letter = b"Subject: x\r\n\r\n" + b"y" * size + smuggled
    taken = sent(posts, desk, letter + b"second\r\n.\r\n", speaking=speaking)
    assert taken.endswith(b"DATA\r\nsecond\r\n")
    assert desk.rows()[0].sender == "bob@example.org"


@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_a_message_that_comes_in_crumbs_is_the_same(posts, desk, step) -> None:
    assert sent(posts, desk, b"A: b\r\n\r\n..x\r\n.\n\r\ny\r\n.\r\n", step=step) == b"A: b\r\n\r\n.x\r\n\n\r\ny\r\n"


def test_semantics_7_long_lines_and_every_octet_are_taken(posts, desk) -> None:
    body = (
        b"A: b\r\n\r\n"
        + b"long" * 50_000
        + bytes(octet for octet in range(256) if octet not in b"\r\n")
        + b"\n\r\0\r\n"
    )
    assert sent(posts, desk, body + b".\r\n") == body


def test_a_large_message_goes_through_the_spool(posts, desk) -> None:
    body = b"A: b\r\n\r\n" + b"line of some length\r\n..two dots\r\n" * 20_000
    assert sent(posts, desk, body.replace(b"\r\n.", b"\r\n..") + b".\r\n") == body
    [row] = desk.rows()
    assert [path.name for path in desk.spool._directory.rglob("*") if path.is_file()] == [row.blob]
    assert row.size == len(body)


def test_semantics_20_there_is_one_return_path_and_it_is_ours(posts, desk) -> None:
    forged = b"Received: from x\r\nReturn-Path: <eve@example.org>\r\nReturn-path:\r\n <eve@example.org>\r\n"
    taken = sent(posts, desk, forged + LETTER + b"Return-Path: in the body\r\n.\r\n")
    assert taken == b"Received: from x\r\n" + LETTER + b"Return-Path: in the body\r\n"
    [row] = desk.rows()
    assert row.prefix.startswith(b"Return-Path: <bob@example.org>\r\n")


def test_semantics_20_a_body_behind_bare_line_ends_is_not_taken_for_the_header(posts, desk) -> None:
    letter = b"Subject: x\n\nReturn-Path: in the body\n\r\n"
    assert sent(posts, desk, letter + b".\r\n") == letter


def test_the_stamp_tells_how_the_message_came(posts, desk) -> None:
    sent(posts, desk, LETTER + b".\r\n")
    [row] = desk.rows()
    name = row.source_key.partition("/")[0]
    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{26}", name)
    received = (
        rb"Return-Path: <bob@example\.org>\r\n"
        rb"Received: from client\.example \(\[127\.0\.0\.1\]\)\r\n"
        rb"\tby mx\.example\.com with LMTP id %s\r\n\tfor <ann@example\.com>;\r\n"
        rb"\t\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000\r\n"
        rb"Delivered-To: ann@example\.com\r\n"
    )
    assert re.fullmatch(received % name.encode(), row.prefix)


def test_a_name_that_is_none_cannot_write_a_field(posts, desk) -> None:
    with posts().client() as client:
        client.hear()
        client.ask(b"LHLO x\rX-Evil: yes (comment")
        client.ask(b"LHLO <script>; \xff")
        client.envelope()
        client.say(LETTER + b".\r\n")
        assert client.heard(1) == [250]
    [row] = desk.rows()
    assert b"from unknown ([127.0.0.1])" in row.prefix


def test_the_null_sender_stays_null(posts, desk) -> None:
    with posts().client() as client:
        client.greeted().envelope(sender="")
        client.say(b".\r\n")
        assert client.heard(1) == [250]
    [row] = desk.rows()
    assert row.sender == ""
    assert row.prefix.startswith(b"Return-Path: <>\r\n")
    assert desk.bytes_of(row) == b""


def test_the_message_id_is_noted(posts, desk) -> None:
    sent(posts, desk, b"Subject: x\r\nMessage-Id:\r\n <17@example.org>\r\n\r\nMessage-ID: <no@example.org>\r\n.\r\n")
    assert desk.rows()[0].message_id == "<17@example.org>"


def test_pipelined_transactions_are_all_answered_in_order(posts, desk) -> None:
    one = b"MAIL FROM:<bob@example.org>\r\nRCPT TO:<ann@example.com>\r\nDATA\r\n" + LETTER + b".\r\n"
    with posts().client() as client:
        client.greeted()
        client.say(one * 20 + b"QUIT\r\n")
        client.half_closed()
        assert client.heard(81) == [250, 250, 354, 250] * 20 + [221]
        assert client.hear() == b""
    assert len(desk.rows()) == 20
