"""How talking to a mail server ends early."""

import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from postroom.errors import Permanent, Temporary, cause
from postroom.sources import Loss

_TEXT_LIMIT = 200
_ADDRESS = re.compile(r"\S+@\S+")


class Lost(Temporary):
    """The connection is gone, or was given up; `reason` is a label of metrics."""

    def __init__(self, reason: Loss, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class LoginRefused(Permanent):
    """The server does not let us in. Only an operator can mend it, and may do so at the server: it is tried again,
    far more slowly than a broken network."""


def lost(error: Exception) -> Lost:
    """What an error of the network means. Certificates: the operator can mend it, so its reason is told."""
    match error:
        case ssl.SSLCertVerificationError():
            return Lost("tls", f"the server's certificate is not trusted: {error.verify_message}; see `tls-ca`")
        case ssl.SSLError(reason="WRONG_VERSION_NUMBER" | "RECORD_LAYER_FAILURE"):
            return Lost("tls", "the server does not speak TLS on that port: is it the one of imaps:// or pop3s://?")
        case ssl.SSLError():
            return Lost("tls", f"TLS failed: {error.reason or type(error).__name__}")
        case TimeoutError():
            return Lost("timeout", "the server does not answer in time")
        case _:
            return Lost("network", f"the server cannot be reached: {cause(error)}")


@contextmanager
def greeting(*, encrypted: bool) -> Iterator[None]:
    """A server that says nothing at first, to a client that would begin TLS later, may wait for TLS itself."""
    try:
        yield
    except Lost as error:
        if encrypted or error.reason != "timeout":
            raise
        told = "the server says nothing: does TLS begin at once on that port (imaps://, pop3s://)?"
        raise Lost("timeout", told) from None


def readable(text: bytes) -> str:
    """What a server said, fit for a log: short, printable, without addresses."""
    said = "".join(char if char.isprintable() else " " for char in text[:4096].decode("utf-8", "replace"))
    return _ADDRESS.sub("…", said).strip()[:_TEXT_LIMIT]
