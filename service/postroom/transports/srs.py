"""The Sender Rewriting Scheme: SRS0 and SRS1 addresses as libsrs2 and postsrsd write them.

`SRS0=HASH=DAY=DOMAIN=LOCAL@OURS` comes back to LOCAL@DOMAIN. Forwarded once more it becomes
`SRS1=HASH=FIRST==HASH=DAY=DOMAIN=LOCAL@THEIRS`, which comes back to the first forwarder, however long the chain.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from postroom.errors import Permanent

DAYS: Final = 21  # so long a return path is good
HASH: Final = 4  # characters
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_ROUND: Final = 1024  # days until the stamp begins anew
_SRS0: Final = re.compile(r"SRS0[-+=]([^=]{4,})=([A-Z2-7]{2})=([^=]+)=(.+)", re.IGNORECASE | re.DOTALL)
_SRS1: Final = re.compile(r"SRS1[-+=]([^=]{4,})=([^=]+)=([-+=].+)", re.IGNORECASE | re.DOTALL)
_FOREIGN: Final = re.compile(r"SRS0([-+=].+)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Srs:
    """For one domain of ours. Of the secrets the first signs and all verify."""

    domain: str
    secrets: Sequence[bytes]

    def rewritten(self, sender: str, now: datetime) -> str:
        """A sender in our domain. `<>` and what is ours stay as they are."""
        local, _, domain = sender.rpartition("@")
        if not local or domain.lower() == self.domain.lower():
            return sender
        if found := _SRS1.fullmatch(local):
            first, rest = found[2], found[3]
        elif found := _FOREIGN.fullmatch(local):
            first, rest = domain, found[1]
        else:
            stamp = _stamp(now)
            return f"SRS0={self._hash(stamp, domain, local)}={stamp}={domain}={local}@{self.domain}"
        return f"SRS1={self._hash(first, rest)}={first}={rest}@{self.domain}"

    def reversed(self, recipient: str, now: datetime) -> str | None:
        """Whom a bounce to this recipient is for; None: it is no SRS address of ours. Raises Permanent for one that
        nobody of us signed, or too long ago."""
        local, _, domain = recipient.rpartition("@")
        if domain.lower() != self.domain.lower():
            return None
        if found := _SRS0.fullmatch(local):
            given, stamp, host, user = found.groups()
            self._verify(given, stamp, host, user)
            if (_day(now) - _days(stamp)) % _ROUND > DAYS:
                raise Permanent("the return path is too old (SRS)")
            return f"{user}@{host}"
        if found := _SRS1.fullmatch(local):
            given, host, rest = found.groups()
            self._verify(given, host, rest)
            return f"SRS0{rest}@{host}"
        return None

    def _hash(self, *parts: str) -> str:
        return _signed(self.secrets[0], parts)

    def _verify(self, given: str, *parts: str) -> None:
        # Servers on the way may have changed the case of letters.
        good = [
            hmac.compare_digest(_signed(one, parts).lower().encode(), given[:HASH].lower().encode("utf-8", "replace"))
            for one in self.secrets
        ]
        if True not in good or len(given) != HASH:
            raise Permanent("the return path is not one of ours (SRS)")


def _signed(secret: bytes, parts: Sequence[str]) -> str:
    digest = hmac.digest(secret, "".join(parts).lower().encode("utf-8", "surrogatepass"), hashlib.sha1)
    return base64.b64encode(digest)[:HASH].decode()


def _day(now: datetime) -> int:
    return int(now.astimezone(UTC).timestamp() // 86400) % _ROUND


def _stamp(now: datetime) -> str:
    day = _day(now)
    return _ALPHABET[day >> 5] + _ALPHABET[day & 31]


def _days(stamp: str) -> int:
    high, low = (_ALPHABET.index(char) for char in stamp.upper())
    return high << 5 | low
