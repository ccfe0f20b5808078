"""Arguments of MAIL and RCPT."""

import pytest

from postroom.sources.listener import commands, replies
from postroom.sources.listener.commands import Sender, Unacceptable


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (b"FROM:<bob@example.org>", Sender("bob@example.org", 0, False)),
        (b"from:<bob@EXAMPLE.org>", Sender("bob@example.org", 0, False)),
        (b"FROM: <bob@example.org>", Sender("bob@example.org", 0, False)),
        (b"FROM:<>", Sender("", 0, False)),
        (b"FROM:<> SIZE=12345 BODY=8BITMIME", Sender("", 12345, False)),
        (b"FROM:<a@b.example> body=7bit size=1", Sender("a@b.example", 1, False)),
        ("FROM:<bøb@example.org> SMTPUTF8".encode(), Sender("bøb@example.org", 0, True)),
        (b"FROM:<@relay.example,@other.example:bob@example.org>", Sender("bob@example.org", 0, False)),
        (b'FROM:<"a>b c"@example.org>', Sender('"a>b c"@example.org', 0, False)),
        (b"FROM:<root>", Sender("root", 0, False)),
        (b"FROM:<bob@[192.0.2.1]>", Sender("bob@[192.0.2.1]", 0, False)),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_sender_is_read(argument: bytes, expected: Sender) -> None:
    assert commands.sender(argument) == expected


@pytest.mark.parametrize(
    ("argument", "reply"),
    [
        (b"", replies.SYNTAX),
        (b"FROM", replies.SYNTAX),
        (b"TO:<bob@example.org>", replies.SYNTAX),
        (b"FROM:bob@example.org", replies.SYNTAX),
        (b"FROM:<bob@example.org", replies.SYNTAX),
        (b"FROM:<bob@example.org>SIZE=1", replies.SYNTAX),
        (b"FROM:<bob@example.org> SIZE", replies.SYNTAX),
        (b"FROM:<bob@example.org> SIZE=x", replies.SYNTAX),
        (b"FROM:<bob@example.org> SIZE=-1", replies.SYNTAX),
        (b"FROM:<bob@example.org> SIZE=1 SIZE=2", replies.SYNTAX),
        (b"FROM:<bob@example.org> BODY=BINARYMIME", replies.SYNTAX),
        (b"FROM:<bob@example.org> SMTPUTF8=1", replies.SYNTAX),
        (b"FROM:<bob@example.org> RET=HDRS", replies.UNKNOWN_PARAMETER),
        (b"FROM:<a@b@c>", replies.BAD_SENDER),
        (b"FROM:< >", replies.BAD_SENDER),
        (b"FROM:<a b@example.org>", replies.BAD_SENDER),
        (b"FROM:<bob@example..org>", replies.BAD_SENDER),
        (b"FROM:<" + b"a" * 600 + b"@example.org>", replies.BAD_SENDER),
        (b"FROM:<bob\x00@example.org>", replies.SYNTAX),
        (b"FROM:<b\xff@example.org> SMTPUTF8", replies.BAD_SENDER),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_what_is_no_sender_is_refused(argument: bytes, reply: bytes) -> None:
    with pytest.raises(Unacceptable) as refusal:
        commands.sender(argument)
    assert refusal.value.reply == reply


def test_semantics_9_an_address_beyond_ascii_needs_smtputf8() -> None:
    with pytest.raises(Unacceptable) as refusal:
        commands.sender("FROM:<bøb@example.org>".encode())
    assert refusal.value.reply == replies.NOT_ASCII
    with pytest.raises(Unacceptable) as refusal:
        commands.recipient("TO:<bøb@example.org>".encode(), utf8=False)
    assert refusal.value.reply == replies.NOT_ASCII
    assert commands.recipient("TO:<bøb@example.org>".encode(), utf8=True).spec == "bøb@example.org"


def test_a_recipient_has_an_address_and_no_parameters() -> None:
    assert commands.recipient(b"TO:<postmaster>", utf8=False).spec == "postmaster"
    for argument, reply in [
        (b"TO:<>", replies.BAD_RECIPIENT),
        (b"TO:<a@b.example> NOTIFY=NEVER", replies.UNKNOWN_PARAMETER),
    ]:
        with pytest.raises(Unacceptable) as refusal:
            commands.recipient(argument, utf8=False)
        assert refusal.value.reply == reply
