"""What we write on top of a message: Return-Path, Received, Delivered-To (RFC 5321 4.4, RFC 3848)."""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Final

_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_NAME: Final = re.compile(r"[A-Za-z0-9._\-]{1,255}|\[[A-Za-z0-9.:]{1,60}\]")


def ulid(now: datetime) -> str:
    """A name that sorts by time and that nobody else gives: 48 bits of milliseconds, 80 random ones."""
    number = int(now.timestamp() * 1000) << 80 | secrets.randbits(80)
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """How a message came to us: everything that its copies for several recipients share."""

    sender: str
    client: str  # as it called itself; anything may stand there
    peer: str  # its address; empty on a UNIX socket
    host: str
    protocol: str  # LMTP, ESMTPS, UTF8LMTP … (RFC 3848, RFC 6531 4.3)
    id: str
    at: datetime

    def fields(self, recipients: tuple[str, ...]) -> bytes:
        """The fields for these recipients. Only a single one is named in Received: others need not know of each
        other."""
        known = f"\r\n\tfor <{recipients[0]}>" if len(recipients) == 1 else ""
        lines = [
            f"Return-Path: <{self.sender}>",
            f"Received: from {self._origin}",
            f"\tby {self.host} with {self.protocol} id {self.id}{known};",
            f"\t{format_datetime(self.at)}",
            *(f"Delivered-To: {recipient}" for recipient in recipients),
        ]
        return "".join(f"{line}\r\n" for line in lines).encode()

    @property
    def _origin(self) -> str:
        name = self.client if _NAME.fullmatch(self.client) else "unknown"
        return f"{name} ({_literal(self.peer)})" if self.peer else f"{name} (local)"


def _literal(peer: str) -> str:
    """An address literal (RFC 5321 4.1.3)."""
    return f"[IPv6:{peer.partition('%')[0]}]" if ":" in peer else f"[{peer}]"
