"""Mails of tests, and a way to the server that answers as a test says."""

from typing import Any

from postroom.pipeline.outgoing import Mail, Reply
from postroom.transports.smtp.terms import Terms
from postroom.transports.smtp.transport import SmtpTransport
from servers.smtp import Smtp

MESSAGE = b"Subject: hi\r\n\r\nHello.\r\n"
RECIPIENT = "bob@example.com"


def transport(server: Smtp, **terms: Any) -> SmtpTransport:
    given = {"host": "127.0.0.1", "port": server.port, "encryption": "none", "timeout": 30.0, "lmtp": server.lmtp}
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
