"""Replies of a server as it sent them (RFC 5321 4.2), and as an operator may read them."""

import re
from dataclasses import dataclass
from typing import Final

from postroom.pipeline.outgoing import Reply, Tls

LONGEST: Final = 300  # characters of text that are kept
_CODE: Final = re.compile(rb"[2-5][0-9]{2}")
_ENHANCED: Final = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?: |$)")
_ADDRESS: Final = re.compile(r"[^\s<>()\"',;:]*@[^\s<>()\"',;]*")
_QUEUE_IDS: Final = (
    re.compile(r"queued as ([A-Za-z0-9._/+-]{1,100})", re.IGNORECASE),  # Postfix
    re.compile(r"\bid=([A-Za-z0-9._/+-]{1,100})"),  # Exim
    re.compile(r"([A-Za-z0-9._/+-]{4,100}) Saved\b"),  # Dovecot
    re.compile(r"^([A-Za-z0-9]{8,40}) Message accepted"),  # Sendmail
    re.compile(r"^OK +(\d{6,12} [A-Za-z0-9._-]{8,80})\b"),  # Google
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply, all its lines."""

    code: int
    lines: tuple[str, ...]  # without codes; printable

    @property
    def enhanced(self) -> str:
        """The enhanced status code, where the server gave one of the same class."""
        found = _ENHANCED.match(self.lines[0]) if self.lines else None
        return found[1] if found and found[1][0] == str(self.code)[0] else ""

    @property
    def text(self) -> str:
        """In one line, without the enhanced codes and without addresses."""
        said = " ".join(_ENHANCED.sub("", line, count=1).strip() for line in self.lines)
        return _ADDRESS.sub("…", said)[:LONGEST].strip()

    @property
    def queue_id(self) -> str:
        """How the server calls the message that it took; empty where it does not say."""
        said = self.text
        found = next(filter(None, (pattern.search(said) for pattern in _QUEUE_IDS)), None)
        return found[1] if found else ""

    def reply(self, phase: str, tls: Tls) -> Reply:
        """About a recipient."""
        queue_id = self.queue_id if self.code < 300 else ""
        return Reply(code=self.code, enhanced=self.enhanced, text=self.text, phase=phase, queue_id=queue_id, tls=tls)

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.code), self.enhanced, self.text)))


def parsed(lines: list[bytes]) -> Answer | None:
    """A whole reply; None where it is none."""
    codes = {line[:3] for line in lines}
    if len(codes) != 1 or not all(map(_CODE.match, lines)):
        return None
    return Answer(int(codes.pop()), tuple(_printable(line[4 if line[3:4] in b" -" else 3 :]) for line in lines))


def is_last(line: bytes) -> bool:
    """Whether no further line of the reply follows."""
    return line[3:4] != b"-"


def _printable(octets: bytes) -> str:
    text = octets.decode("utf-8", "replace")
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)
