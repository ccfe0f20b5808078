"""What a listener offers to every client."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from postroom.sources import Desk
from postroom.sources.listener.gate import Gate
from postroom.sources.listener.routing import Routes


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Shared by all its conversations."""

    desk: Desk
    gate: Gate
    routes: Routes
    clock: Callable[[], datetime]
    lmtp: bool  # one reply for each recipient; else SMTP
    whole: bool  # one message for all recipients that go the same way
    most_recipients: int
    hold: float  # seconds that a client is kept waiting for space, or for TLS
    disk: float  # seconds that a message may take to become durable
    planning: float | None  # seconds that its plan may take before it is answered; None: that comes later
    tls: ssl.SSLContext | None
