"""What a transaction says before the message, and what a server cannot take as it is: never re-encoded behind anybody's
back, it fails with the reason."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from postroom.pipeline.outgoing import Mail, Reply
from postroom.transports.smtp.content import Measure

_SPECIAL: Final = re.compile("[\x00-\x20\x7f-\x9f<>]")
_QUOTED: Final = re.compile(r'"(?:[^"\\\x00-\x1f\x7f-\x9f]|\\[^\x00-\x1f\x7f-\x9f])*"@[^\x00-\x20<>]+')


@dataclass(frozen=True, slots=True)
class Envelope:
    """Of one mail for one server. `offers`: its extensions with their parameters (RFC 5321 4.1.1.1)."""

    mail: Mail
    measure: Measure
    offers: Mapping[str, str]

    def refusal(self, long_lines: Literal["refuse", "send"]) -> Reply | None:
        """In the server's place; None: it may take it."""
        if not all(map(_is_safe, self._addresses)):
            return _ours(553, "5.1.3", "an address of the envelope cannot be written in SMTP")
        if not self._is_ascii and "SMTPUTF8" not in self.offers:
            return _ours(553, "5.6.7", "the server does not take addresses outside ASCII (SMTPUTF8)")
        if self.measure.eight_bit and "8BITMIME" not in self.offers:
            return _ours(554, "5.6.1", "the server does not take 8-bit messages (8BITMIME)")
        if self.measure.long_lines and long_lines == "refuse":
            return _ours(554, "5.6.0", "a line is longer than 998 octets")
        most = self.offers.get("SIZE", "")
        if most.isdecimal() and 0 < int(most[:18]) < self.measure.size:
            return _ours(552, "5.3.4", "the message is larger than the server takes (SIZE)")
        return None

    def mail_from(self) -> str:
        """The command, with what the server wants to know beforehand."""
        words = [f"MAIL FROM:<{self.mail.sender}>"]
        if "SIZE" in self.offers:
            words.append(f"SIZE={self.measure.size}")
        if "8BITMIME" in self.offers and self.measure.eight_bit:
            words.append("BODY=8BITMIME")
        if "SMTPUTF8" in self.offers and (self.mail.utf8 or not self._is_ascii):
            words.append("SMTPUTF8")
        if "DSN" in self.offers and self.mail.sender and self.mail.key.isalnum():
            # A bounce then names the effect that it is about (RFC 3461 4.4).
            words += ["RET=HDRS", f"ENVID={self.mail.key}"]
        return " ".join(words)

    @property
    def _addresses(self) -> tuple[str, ...]:
        return (*filter(None, (self.mail.sender,)), *self.mail.recipients)

    @property
    def _is_ascii(self) -> bool:
        return all(map(str.isascii, self._addresses))


def _ours(code: int, enhanced: str, text: str) -> Reply:
    return Reply(code=code, enhanced=enhanced, text=text, phase="our own check")


def _is_safe(address: str) -> bool:
    """Whether nothing in it ends the path or the line."""
    return len(address) <= 1000 and (bool(_QUOTED.fullmatch(address)) or not _SPECIAL.search(address))
