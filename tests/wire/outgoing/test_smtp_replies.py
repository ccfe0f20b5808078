"""What servers say: to each recipient of SMTP and LMTP, at the wrong time, or not at all."""

from pathlib import Path

import pytest

from postroom.errors import Temporary, Uncertain
from servers.smtp import EXTENSIONS, Smtp, serving
from wire.outgoing.mails import MESSAGE, mail, only, transport

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


def test_a_connection_is_used_again(server: Smtp) -> None:
    way = transport(server)
    for _ in range(3):
        way.send(mail())
    assert (server.connections, len(server.received)) == (1, 3)
    assert "RSET" not in server.commands  # the final dot has ended the transaction


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA", "."])
def test_it_is_used_again_after_rset_where_a_message_was_refused(server: Smtp, command: str) -> None:
    way = transport(server)
    server.answers[command] = "550 5.7.1 no"
    assert only(way.send(mail())).verdict == "dead"
    del server.answers[command]
    assert only(way.send(mail())).verdict == "done"
    assert (server.connections, server.commands.count("RSET"), len(server.received)) == (1, 1, 1)


def test_a_connection_that_the_server_ended_meanwhile_is_replaced(server: Smtp) -> None:
    way = transport(server)
    server.answers["."] = "550 5.7.1 no"
    way.send(mail())
    del server.answers["."]
    server.lost.add("RSET")
    server.answers["RSET"] = "421 too old"
    assert only(way.send(mail())).verdict == "done"
    assert (server.connections, len(server.received)) == (2, 1)
