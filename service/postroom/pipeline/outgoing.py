"""What goes out to a mail server, what it answers for each recipient, and the contract of whatever takes it there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from postroom.errors import Permanent, Temporary, Uncertain

Tls = Literal["none", "unverified", "verified"]
Verdict = Literal["done", "later", "dead", "uncertain"]
# They are about us and not about the message: to authenticate, or to encrypt, is wanted of us (RFC 4954, RFC 3207).
_ABOUT_US = frozenset({530, 534, 535, 538})


@dataclass(frozen=True, kw_only=True)
class Mail:
    """Octets on their way. `sender` "" is `<>`. Line ends become CRLF on the way, all else stays as it is."""

    sender: str
    recipients: tuple[str, ...]
    chunks: Sequence[bytes | memoryview]  # joined, these are the message
    key: str = ""  # the effect's: the same at a second try
    utf8: bool = False  # whether it is an internationalised message even where all addresses are ASCII


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server said about one recipient. `phase`: the answer to what, such as `RCPT` or `the final dot`.

    Code 0: the message went out whole and its answer was lost, so that it may have been delivered.
    """

    code: int
    enhanced: str = ""  # RFC 3463, as the server gave it
    text: str = ""  # printable, without addresses, of bounded length
    phase: str = ""
    queue_id: str = ""  # how the next server calls it
    tls: Tls = "none"

    @property
    def verdict(self) -> Verdict:
        """What becomes of the recipient."""
        if self.code == 0:
            return "uncertain"
        if self.code < 400:
            return "done"
        return "later" if self.code < 500 or self.code in _ABOUT_US else "dead"

    def __str__(self) -> str:
        said = " ".join(filter(None, (str(self.code) if self.code else "", self.enhanced, self.text)))
        return f"{self.phase}: {said}" if self.phase else said

    def check(self) -> None:
        """Raise Temporary, Permanent or Uncertain unless the server took the message."""
        match self.verdict:
            case "later":
                raise Temporary(f"the server says to {self}")
            case "dead":
                raise Permanent(f"the server says to {self}")
            case "uncertain":
                raise Uncertain(f"it may have been delivered: after {self}")


class Transport(Protocol):
    """A way out. Blocking; safe to share between threads."""

    @property
    def holds(self) -> bool:
        """Whether what may have been delivered is set aside for a person and not sent again."""
        ...

    def prepare(self) -> bool:
        """Whether a mail would not wait for the server to come up; if it would, the server is called meanwhile."""
        ...

    def send(self, mail: Mail) -> Mapping[str, Reply]:
        """One reply for each recipient. Raises Temporary where the server cannot be reached or does not want to talk:
        then nobody got anything."""
        ...
