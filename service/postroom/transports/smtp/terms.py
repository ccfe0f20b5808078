"""How a server is to be spoken to, as the composition root makes it from the settings."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Mechanism = Literal["auto", "plain", "login", "scram-sha-256", "xoauth2"]
Encryption = Literal["implicit", "starttls", "opportunistic", "none"]
"""`starttls`: required. `opportunistic`: where it is offered, whoever the server is."""
FINAL = 600.0  # seconds for the answer to the final dot (RFC 5321 4.5.3.2.6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who logs in and how. `secret` gives the password or the access token, fetched anew; it raises Temporary."""

    user: str
    mechanism: Mechanism
    secret: Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """One server. `path`: the UNIX socket, in place of host and port. Waits are in seconds."""

    host: str = ""
    port: int = 25
    path: Path | None = None
    lmtp: bool = False
    encryption: Encryption = "starttls"
    ca: Path | None = None
    verify: bool = True  # False: whoever the server is, for mail exchangers without a policy
    helo: str = "localhost"
    credentials: Credentials | None = None
    timeout: float = 60.0
    final: float = FINAL
    long_lines: Literal["refuse", "send"] = "refuse"

    def __str__(self) -> str:
        return str(self.path) if self.path else f"{self.host}:{self.port}"
