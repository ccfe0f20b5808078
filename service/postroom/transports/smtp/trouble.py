"""What goes wrong between us and a server, apart from what it says about a recipient."""

import ssl

from postroom.errors import Temporary


class Trouble(Temporary):
    """The conversation cannot go on, and the server is left alone for a while."""


class Cut(Trouble):
    """The connection broke, or nobody answered in time."""


class Closing(Trouble):
    """The server said 421, or does not want to talk to us at all."""


class Untrusted(Trouble):
    """The server cannot prove who it is."""


def trouble(error: Exception) -> Trouble:
    """An error of sockets or TLS in words."""
    match error:
        case TimeoutError():
            return Cut("the server does not answer in time")
        case ssl.SSLCertVerificationError():
            return Untrusted(f"the server's certificate is not trusted: {error.verify_message}")
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return Cut("the server closed the connection")
        case ssl.SSLError():
            return Trouble(f"TLS failed: {error.reason or 'no reason given'}")
        case OSError():
            return Cut(f"the connection failed: {error.strerror or type(error).__name__}")
    return Trouble(f"the connection failed: {type(error).__name__}")
