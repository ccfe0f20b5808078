"""What goes out over SMTP, to a server that answers as a test says."""

import pytest

from postroom.pipeline.outgoing import Mail
from servers.smtp import EXTENSIONS, Smtp
from wire.outgoing.mails import MESSAGE, RECIPIENT, mail, only, transport

# What goes out.


def test_a_message_goes_out_as_it_is(server: Smtp) -> None:
    reply = only(transport(server).send(mail()))
    assert (reply.code, reply.enhanced, reply.queue_id) == (250, "2.0.0", "4F1B2C")
    assert [(one.sender, one.recipients, one.content) for one in server.received] == [
        ("ann@example.org", [RECIPIENT], MESSAGE)
    ]


@pytest.mark.parametrize("extensions", [EXTENSIONS, ()], ids=["all extensions", "none"])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"A: b\n\nbare\nfeeds\n", b"A: b\r\n\r\nbare\r\nfeeds\r\n"),
        (b"A: b\r\n\r\n.\r\n..two\r\n.", b"A: b\r\n\r\n.\r\n..two\r\n.\r\n"),
        (b".first\r\n", b".first\r\n"),
        (b"", b""),
        (b"A: b\r\n\r\nno end", b"A: b\r\n\r\nno end\r\n"),
        (b"A: b\r\r\n\rx\r", b"A: b\r\n\r\n\r\nx\r\n"),
    ],
)
def test_line_ends_are_crlf_and_dots_survive(
    server: Smtp, extensions: tuple[str, ...], content: bytes, expected: bytes
) -> None:
    server.extensions = extensions
    transport(server).send(mail(content))
    assert server.received[0].content == expected


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n\0.\r\n", b"\r\n.\r\n"]
)
@pytest.mark.parametrize("cut", range(4))
def test_no_variant_of_the_final_dot_smuggles_a_message(server: Smtp, end: bytes, cut: int) -> None:
    content = b"A: b\r\n\r\nx" + end + b"MAIL FROM:<evil@example.org>\r\nDATA\r\n"
    at = 9 + cut
    transport(server).send(mail(chunks=(content[:at], memoryview(content)[at:])))
    assert len(server.received) == 1
    raw = server.received[0].raw
    assert raw.count(b"\r") == raw.count(b"\n") == raw.count(b"\r\n")
    assert raw.count(b"\r\n.\r\n") == 1


def test_a_large_message_goes_out_as_it_is(server: Smtp) -> None:
    line = b".%d " % 7 + b"x" * 70 + b"\r\n"
    content = b"A: b\r\n\r\n" + line * 40_000
    transport(server).send(mail(chunks=(content[:1_000_001], content[1_000_001:])))
    assert server.received[0].content == content


def test_extensions_are_used_where_they_are_offered(server: Smtp) -> None:
    transport(server).send(mail("A: b\r\n\r\nä\r\n".encode(), key="KEY"))
    assert server.commands[1] == "MAIL FROM:<ann@example.org> SIZE=12 BODY=8BITMIME RET=HDRS ENVID=KEY"


def test_an_old_server_is_greeted_with_helo(server: Smtp) -> None:
    server.answers["EHLO"] = "502 what?"
    transport(server).send(mail())
    assert server.commands[1:3] == ["HELO localhost", "MAIL FROM:<ann@example.org>"]


def test_a_null_sender_stays_null(server: Smtp) -> None:
    transport(server).send(mail(sender="", key="KEY"))
    assert server.commands[1] == "MAIL FROM:<> SIZE=23"


# What a server cannot take (SEMANTICS: never re-encoded behind anybody's back).


@pytest.mark.parametrize(
    ("without", "sent", "reason"),
    [
        ("8BITMIME", mail("A: b\r\n\r\nä\r\n".encode()), "8BITMIME"),
        ("SMTPUTF8", mail(MESSAGE, "bób@example.com"), "SMTPUTF8"),
        ("", mail(b"A: " + b"x" * 996 + b"\r\n\r\n"), "998"),
        ("SIZE", mail(MESSAGE + b"x\r\n" * 400_000), "SIZE"),
        ("", mail(MESSAGE, "bob@example.com> X=<"), "cannot be written"),
        ("", mail(MESSAGE, "bob@example.com\r\nDATA"), "cannot be written"),
        ("", mail(sender="a b@example.org"), "cannot be written"),
    ],
)
def test_what_the_server_cannot_take_fails_for_good_with_the_reason(
    server: Smtp, without: str, sent: Mail, reason: str
) -> None:
    server.extensions = tuple(one for one in (*EXTENSIONS, "SIZE 1000000") if one.partition(" ")[0] != without)
    if without == "SIZE":
        server.extensions = ("SIZE 1000000",)
    reply = only(transport(server).send(sent))
    assert reply.verdict == "dead"
    assert reason in reply.text
    assert not any(one.startswith("MAIL") for one in server.commands)


@pytest.mark.parametrize("length", [998, 999])
def test_lines_go_out_up_to_998_octets(server: Smtp, length: int) -> None:
    content = MESSAGE + b"y\r\n" * 87_380 + b"x" * length + b"\r\nend\r\n"
    assert only(transport(server).send(mail(content))).verdict == ("done" if length == 998 else "dead")
    assert only(transport(server, long_lines="send").send(mail(content))).verdict == "done"


def test_a_quoted_local_part_may_hold_what_it_likes(server: Smtp) -> None:
    assert only(transport(server).send(mail(MESSAGE, '"a b>"@example.com'))).verdict == "done"
