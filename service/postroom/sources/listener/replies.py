"""What a listener says: codes of RFC 5321 4.2 and RFC 3463. Of our own troubles only that there are some."""

from collections.abc import Sequence

from postroom.ledger.rows import Recorded, Refused

HELP = b"214 2.0.0 RFC 2033, RFC 5321\r\n"
READY_FOR_TLS = b"220 2.0.0 go ahead\r\n"
BYE = b"221 2.0.0 bye\r\n"
FINE = b"250 2.0.0 fine\r\n"
SENDER_FINE = b"250 2.1.0 fine\r\n"
RECIPIENT_FINE = b"250 2.1.5 fine\r\n"
CANNOT_VERIFY = b"252 2.5.0 send it, and we shall see\r\n"
GO_AHEAD = b"354 end with a dot on a line of its own\r\n"

STOPPING = b"421 4.3.2 going away, come again\r\n"
TOO_MANY_CONNECTIONS = b"421 4.3.2 too many connections, come again\r\n"
SILENT = b"421 4.4.2 waited too long\r\n"
TOO_MANY_ERRORS = b"421 4.7.0 too many errors\r\n"
ENDLESS = b"421 4.3.4 that never ends\r\n"
FAILED = b"451 4.3.0 not now, come again\r\n"
NO_SPACE = b"452 4.3.1 no space now, come again\r\n"
TOO_MANY_RECIPIENTS = b"452 4.5.3 too many recipients, send the rest by itself\r\n"

UNKNOWN_COMMAND = b"500 5.5.1 unknown command\r\n"
BARE_LINE = b"500 5.5.2 a line ends in CR LF\r\n"
LONG_LINE = b"500 5.5.6 line too long\r\n"
SYNTAX = b"501 5.5.4 syntax error\r\n"
BAD_SENDER = b"501 5.1.7 no address\r\n"
BAD_RECIPIENT = b"501 5.1.3 no address\r\n"
NO_PARAMETER = b"501 5.5.4 without an argument, please\r\n"
WRONG_ORDER = b"503 5.5.1 not in this order\r\n"
NO_RECIPIENTS = b"503 5.5.1 no recipients\r\n"
UNKNOWN_RECIPIENT = b"550 5.1.1 no such recipient here\r\n"
TOO_LARGE = b"552 5.3.4 message too large\r\n"
NOT_ASCII = b"553 5.6.7 that address needs SMTPUTF8\r\n"
NEVER = b"554 5.6.0 this message cannot be stored\r\n"
UNKNOWN_PARAMETER = b"555 5.5.4 unknown parameter\r\n"


def queued(name: object) -> bytes:
    """From here on it is ours."""
    return b"250 2.0.0 queued as %s\r\n" % str(name).encode()


def taken(answer: Recorded | Refused) -> bytes:
    """What became of an arrival."""
    return queued(answer.id) if isinstance(answer, Recorded) else NEVER


def rejected(text: str) -> bytes:
    """The text of `reject`, its enhanced code in front."""
    return b"550 %s\r\n" % text.encode("ascii", "replace")


def greeting(host: str, protocol: str) -> bytes:
    """The first line of a connection."""
    return f"220 {host} {protocol} Postroom\r\n".encode("ascii", "replace")


def offer(host: str, extensions: Sequence[str]) -> bytes:
    """The answer to LHLO and EHLO."""
    lines = [host, *extensions]
    text = "".join(f"250-{line}\r\n" for line in lines[:-1]) + f"250 {lines[-1]}\r\n"
    return text.encode("ascii", "replace")


def plain_offer(host: str) -> bytes:
    """The answer to HELO."""
    return f"250 {host}\r\n".encode("ascii", "replace")


def code(reply: bytes) -> int:
    """Its first three digits."""
    return int(reply[:3])
