"""Mail over SMTP and LMTP to a server that answers as a test says."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from postroom.errors import Permanent, Temporary, Uncertain
from postroom.pipeline.outgoing import Mail, Reply
from postroom.transports.smtp.terms import Credentials, Terms
from postroom.transports.smtp.transport import SmtpTransport
from servers.dovecot import certificate
from servers.smtp import EXTENSIONS, PASSWORD, USER, Smtp, serving

MESSAGE = b"Subject: hi\r\n\r\nHello.\r\n"
RECIPIENT = "bob@example.com"


@pytest.fixture
def server() -> Iterator[Smtp]:
    with serving() as made:
        yield made


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("keys")
    certificate(directory)
    return directory


def transport(server: Smtp, **terms: Any) -> SmtpTransport:
    given = {"host": "127.0.0.1", "port": server.port, "encryption": "none", "timeout": 5.0, "lmtp": server.lmtp}
    return SmtpTransport(terms=Terms(**(given | terms)))


def mail(content: bytes = MESSAGE, *recipients: str, **fields: Any) -> Mail:
    given: dict[str, Any] = {
        "sender": "ann@example.org",
        "recipients": recipients or (RECIPIENT,),
        "chunks": (content,),
    }
    return Mail(**(given | fields))


def only(replies: Any) -> Reply:
    (reply,) = replies.values()
    assert isinstance(reply, Reply)
    return reply


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


# Replies, one for each recipient.


@pytest.mark.parametrize("extensions", [EXTENSIONS, ()], ids=["all extensions", "none"])
@pytest.mark.parametrize(
    ("command", "answer", "verdict"),
    [
        ("MAIL", "451 4.3.0 later", "later"),
        ("MAIL", "550 5.7.1 no", "dead"),
        ("MAIL", "530 5.7.0 log in first", "later"),
        ("RCPT", "450 4.2.0 greylisted", "later"),
        ("RCPT", "550 5.1.1 nobody", "dead"),
        ("DATA", "452 4.3.1 full", "later"),
        ("DATA", "554 5.7.1 no", "dead"),
        (".", "451 4.3.0 later", "later"),
        (".", "554 5.6.0 spam", "dead"),
        (".", "421 4.3.2 going down", "later"),
    ],
)
def test_a_refusal_says_whether_to_come_again(
    server: Smtp, extensions: tuple[str, ...], command: str, answer: str, verdict: str
) -> None:
    server.extensions = extensions
    server.answers[command] = answer
    reply = only(transport(server).send(mail()))
    assert (reply.verdict, reply.enhanced) == (verdict, answer[4:9])
    assert not server.received


def test_the_session_goes_on_after_a_refusal(server: Smtp) -> None:
    way = transport(server)
    server.answers["RCPT TO:<nobody"] = "550 5.1.1 nobody"
    assert only(way.send(mail(MESSAGE, "nobody@example.com"))).verdict == "dead"
    assert only(way.send(mail())).verdict == "done"
    assert server.connections == 1


def test_recipients_have_their_own_replies(server: Smtp) -> None:
    server.answers |= {"RCPT TO:<no@": "550 5.1.1 nobody", "RCPT TO:<later@": "451 4.2.1 busy"}
    replies = transport(server).send(mail(MESSAGE, "no@a.example", "yes@a.example", "later@a.example"))
    assert {one: reply.verdict for one, reply in replies.items()} == {
        "no@a.example": "dead",
        "yes@a.example": "done",
        "later@a.example": "later",
    }
    assert server.received[0].recipients == ["yes@a.example"]


def test_a_reply_tells_no_address(server: Smtp) -> None:
    server.answers["RCPT"] = "550-5.1.1 <bob@example.com>: nobody\n550 5.1.1 ask admin@example.net"
    assert str(only(transport(server).send(mail()))) == "RCPT: 550 5.1.1 <…>: nobody ask …"


def test_a_server_that_wants_a_message_for_nobody_gets_an_empty_one(server: Smtp) -> None:
    server.answers |= {"RCPT": "550 5.1.1 nobody", "DATA": "354 go on"}
    way = transport(server)
    assert only(way.send(mail())).verdict == "dead"
    del server.answers["RCPT"]
    assert only(way.send(mail())).verdict == "done"
    assert [one.content for one in server.received] == [MESSAGE]


# LMTP (RFC 2033).


def test_lmtp_answers_once_for_each_recipient() -> None:
    with serving(lmtp=True, answers={". full@": "452 4.2.2 full"}) as server:
        replies = transport(server).send(mail(MESSAGE, "full@a.example", "fine@a.example"))
        assert {one: reply.verdict for one, reply in replies.items()} == {
            "full@a.example": "later",
            "fine@a.example": "done",
        }


def test_lmtp_goes_over_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "lmtp.sock"
    with serving(path, lmtp=True) as server:
        assert only(transport(server, path=path).send(mail())).verdict == "done"


def test_lmtp_replies_that_came_count_where_others_were_lost() -> None:
    with serving(lmtp=True, lost={". second@"}) as server:
        replies = transport(server).send(mail(MESSAGE, "first@a.example", "second@a.example"))
        verdicts = {one: reply.verdict for one, reply in replies.items()}
        assert verdicts == {"first@a.example": "done", "second@a.example": "uncertain"}


# Trouble.


def test_a_reply_lost_after_the_final_dot_is_uncertain(server: Smtp) -> None:
    server.lost.add(".")
    reply = only(transport(server).send(mail()))
    assert reply.phase == "the final dot"
    with pytest.raises(Uncertain):
        reply.check()


def test_a_reply_that_does_not_come_after_the_final_dot_is_uncertain(server: Smtp) -> None:
    server.silent.add(".")
    assert only(transport(server, final=0.2).send(mail())).verdict == "uncertain"


def test_nonsense_after_the_final_dot_is_uncertain(server: Smtp) -> None:
    server.answers["."] = "\x16\x03\x01"
    assert only(transport(server).send(mail())).verdict == "uncertain"


@pytest.mark.parametrize("where", ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "message"])
def test_a_connection_lost_before_the_final_dot_is_temporary(server: Smtp, where: str) -> None:
    server.lost.add(where)
    with pytest.raises(Temporary):
        transport(server).send(mail(b"x\r\n" * 3_000_000))


@pytest.mark.parametrize("where", ["greeting", "EHLO", "MAIL", "RCPT"])
def test_a_server_that_falls_silent_is_temporary(server: Smtp, where: str) -> None:
    server.silent.add(where)
    with pytest.raises(Temporary, match="in time"):
        transport(server, timeout=0.2).send(mail())


@pytest.mark.parametrize(
    "answer", ["554 go away", "421 busy", "220-" + "x" * 5000, "HTTP/1.1 200 OK", "\n".join(["220-more"] * 300)]
)
def test_a_greeting_that_is_none_is_temporary(server: Smtp, answer: str) -> None:
    server.answers["greeting"] = answer
    with pytest.raises(Temporary):
        transport(server, timeout=0.5).send(mail())


def test_a_server_that_says_why_while_the_message_comes_is_believed(server: Smtp) -> None:
    server.answers["message"] = "552 5.3.4 too much"
    reply = only(transport(server).send(mail(b"x\r\n" * 3_000_000)))
    assert (reply.code, reply.phase) == (552, "the message")


def test_a_server_that_is_away_is_left_alone_for_a_while(server: Smtp) -> None:
    server.answers["greeting"] = "421 later"
    way = transport(server)
    for _ in range(3):
        with pytest.raises(Temporary):
            way.send(mail())
    assert server.connections == 1


def test_a_421_leaves_the_whole_server_alone(server: Smtp) -> None:
    server.answers["."] = "421 4.3.2 going down"
    way = transport(server)
    assert only(way.send(mail())).verdict == "later"
    with pytest.raises(Temporary, match="left alone"):
        way.send(mail())


# Connections.


def test_a_connection_is_used_again_after_rset(server: Smtp) -> None:
    way = transport(server)
    for _ in range(3):
        way.send(mail())
    assert (server.connections, len(server.received)) == (1, 3)
    assert server.commands.count("RSET") == 2


def test_a_connection_that_the_server_ended_meanwhile_is_replaced(server: Smtp) -> None:
    way = transport(server)
    way.send(mail())
    server.lost.add("RSET")
    server.answers["RSET"] = "421 too old"
    assert only(way.send(mail())).verdict == "done"
    assert (server.connections, len(server.received)) == (2, 2)


# TLS (RFC 3207).


@pytest.fixture
def secure(keys: Path) -> Iterator[Smtp]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(keys / "cert.pem", keys / "key.pem")
    with serving(tls=context) as made:
        yield made


def test_starttls_is_verified_and_asks_again_what_is_offered(secure: Smtp, keys: Path) -> None:
    reply = only(transport(secure, encryption="starttls", ca=keys / "cert.pem").send(mail()))
    assert reply.tls == "verified"
    assert secure.commands[:3] == ["EHLO localhost", "STARTTLS", "EHLO localhost"]


@pytest.mark.parametrize(
    "break_it",
    [
        lambda server: setattr(server, "tls", None),
        lambda server: server.answers.update({"STARTTLS": "454 4.7.0 not now"}),
        lambda server: server.answers.update({"STARTTLS": "502 5.5.1 no"}),
        lambda server: setattr(server, "injected", "250 2.0.0 ok\r\n"),
        lambda server: server.lost.add("STARTTLS"),
    ],
    ids=["stripped", "454", "502", "injected", "lost"],
)
def test_a_message_never_goes_out_in_clear_text(secure: Smtp, keys: Path, break_it: Callable[[Smtp], None]) -> None:
    break_it(secure)
    with pytest.raises(Temporary):
        transport(secure, encryption="starttls", ca=keys / "cert.pem").send(mail())
    assert not any(one.startswith(("MAIL", "AUTH")) for one in secure.commands)


def test_a_certificate_of_nobody_is_not_trusted(secure: Smtp) -> None:
    with pytest.raises(Temporary, match="not trusted"):
        transport(secure, encryption="starttls").send(mail())


# Logging in.


def login(mechanism: str = "auto", secret: str = PASSWORD) -> Any:
    return Credentials(user=USER, mechanism=mechanism, secret=lambda: secret)  # type: ignore[arg-type]


@pytest.mark.parametrize("mechanism", ["plain", "login", "scram-sha-256", "xoauth2"])
@pytest.mark.parametrize("secret", [PASSWORD, "wrong"])
def test_logging_in(server: Smtp, mechanism: str, secret: str) -> None:
    server.extensions = ("AUTH PLAIN LOGIN SCRAM-SHA-256 XOAUTH2",)
    way = transport(server, credentials=login(mechanism, secret))
    if secret == PASSWORD:
        assert only(way.send(mail())).verdict == "done"
    else:
        with pytest.raises(Temporary, match="refused"):
            way.send(mail())
    assert server.logins == [mechanism.upper()]


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [("PLAIN LOGIN SCRAM-SHA-256", "SCRAM-SHA-256"), ("login plain", "PLAIN"), ("LOGIN", "LOGIN")],
)
def test_the_best_way_to_log_in_is_chosen(server: Smtp, offered: str, chosen: str) -> None:
    server.extensions = (f"AUTH {offered}",)
    transport(server, credentials=login()).send(mail())
    assert server.logins == [chosen]


def test_a_server_where_nobody_can_log_in_is_temporary(server: Smtp) -> None:
    with pytest.raises(Temporary, match="does not offer"):
        transport(server, credentials=login()).send(mail())


def test_a_refusal_for_good_is_permanent(server: Smtp) -> None:
    server.answers["RCPT"] = "550 5.1.1 nobody"
    with pytest.raises(Permanent, match=r"550 5\.1\.1 nobody"):
        only(transport(server).send(mail())).check()
