"""What steps and effects need from the outside, built by the composition root."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol

from postroom.errors import Temporary
from postroom.message import Limits, Message
from postroom.model import Model
from postroom.pipeline.outgoing import Transport
from postroom.pipeline.resolving import Resolver
from postroom.pipeline.view import Auth, Facts

ScannerName = Literal["bayes", "clamd", "dns", "rspamd", "script", "spamd"]
"""All that scanning steps ask and that may give no answer."""


class Reservation(StrEnum):
    """The answer to a request for a key in a memory."""

    FREE = "free"  # ours now, until the message is done or dead
    KNOWN = "known"  # remembered from an earlier message
    HELD = "held"  # another unfinished message holds it


class Memory(Protocol):
    """Keys that outlive messages (`duplicate`), each in a space of its own, expiring."""

    def reserve(self, space: str, key: str, holder: str, period: timedelta) -> Reservation: ...
    def remember(self, space: str, key: str, holder: str, period: timedelta) -> bool: ...
    def recall(self, space: str, key: str) -> bool: ...


class Seal(Protocol):
    """Signs marks of ours that messages carry, with the site's secret. `verify` writes nothing anywhere."""

    def sign(self, text: str) -> str: ...
    def verify(self, text: str, signature: str) -> bool: ...


class Blank:
    """Signs with nothing, and so believes nothing."""

    def sign(self, text: str) -> str:
        return "unsigned"

    def verify(self, text: str, signature: str) -> bool:
        return False


class Rewriter(Protocol):
    """Return paths of ours for forwarded mail (SRS)."""

    def rewritten(self, sender: str, now: datetime) -> str:
        """A sender in our domain that bounces to this one come back to; one of ours stays as it is."""
        ...

    def reversed(self, recipient: str, now: datetime) -> str | None:
        """Whom a bounce to this recipient is for; None: it is no return path of ours. Raises Permanent for one that is
        forged or too old."""
        ...


class Sealer(Protocol):
    """Seals what is forwarded (ARC)."""

    def sealed(self, message: Message, came: Message, auth: Auth | None, resolver: Resolver, at: datetime) -> bytes:
        """Fields for the top of the message, which came as `came`. Raises Temporary."""
        ...


class Trust(Model):
    """Whose header lines are believed. Both may hold globs, `hosts` networks, too. `below`: results may stand directly
    below the Received field of the host that took the message from outside."""

    hosts: tuple[str, ...] = ()
    authserv_id: tuple[str, ...] = ()
    below: bool = False


class Scanner(Model):
    """A server that looks at messages: `http://HOST:PORT`, `tcp://HOST:PORT` or `unix:/PATH`. `timeout`: in all.
    `largest`: octets of a message that it is asked about.
    """

    url: str
    timeout: timedelta = timedelta(seconds=30)
    largest: int = 25_000_000


class Scanners(Model):
    """The servers that scanning steps ask."""

    rspamd: Scanner = Scanner(url="http://127.0.0.1:11333")
    spamd: Scanner = Scanner(url="tcp://127.0.0.1:783")
    clamd: Scanner = Scanner(url="unix:/run/clamav/clamd.ctl")


def _nobody() -> Resolver:
    raise Temporary("there is no resolver here")


@dataclass(frozen=True, kw_only=True)
class Tools:
    """The context object: values, clocks and stores. `given` replaces every scanner that leaves the process."""

    clock: Callable[[], datetime]
    timezone: tzinfo
    host: str  # our name in Maildir file names
    files: Path  # relative targets of file, extract and archive lie below
    quarantine: Path
    memory: Memory
    trust: Trust = field(default_factory=Trust)
    limits: Limits = field(default_factory=Limits)
    scanners: Scanners = field(default_factory=Scanners)
    bayes: Path | None = None  # what `postroom learn` taught lies below
    explains: bool = False  # remarks may hold words of the message: they are shown, not stored
    shelf: dict[str, Any] = field(default_factory=dict)  # what steps keep open between messages
    match_limit: int = 1_000_000  # octets of a body that patterns see
    given: Facts | None = None
    secrets: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    publish: Callable[[int, str, str], None] | None = None  # open file, its path, the one it gets; None: at once
    servers: Mapping[str, Transport] = field(default_factory=dict)  # opened when they are first used
    replied: Callable[[str, int], None] = lambda server, code: None  # told what a server said to a message
    seal: Seal = field(default_factory=Blank)
    srs: Rewriter | None = None
    arc: Sealer | None = None
    resolver: Callable[[], Resolver] = _nobody  # the same each time, so that answers are kept
    stepped: Callable[[str, float], None] = lambda word, seconds: None  # told how long each step took
    away: Callable[[ScannerName, str], None] = lambda scanner, reason: None  # told that it gave no answer
    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by mailbox: which are ours
    new_stores: Callable[[str, str], int | None] = lambda mailbox, store: None  # made within an hour; None: any number
    answers: bool = True  # whether somebody waits to hear that a message is rejected
