"""Standard input as a source: what a caller offered, its envelope, and a key that survives a second offer."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from postroom.pipeline.view import Envelope
from postroom.spool import Blob, Spool

CHUNK = 1 << 18
# A header this long ends nowhere in real mail; past it the bytes count as they are.
HEADER_LIMIT = 1 << 20
_BLANK = re.compile(rb"\r?\n\r?\n")
_FIELD = re.compile(rb"[^\n]*+(?:\n|\Z)(?:[ \t][^\n]*+(?:\n|\Z))*+")
# Fields that local(8), pipe(8), fetchmail and getmail write anew each time they offer the same message.
_CARRIER = re.compile(rb"(?:Return-Path|Delivered-To|X-Original-To)[ \t]*:", re.IGNORECASE)
_FETCHED = re.compile(rb"Received[ \t]*:.*?(?:\(fetchmail-|\bgetmail6?\b)", re.IGNORECASE | re.DOTALL)
_FROM_LINE = re.compile(rb"From ([^ \n]*+)[^\n]*+\n")
_RETURN_PATH = re.compile(rb"Return-Path[ \t]*:\s*<([^>\r\n]*)>", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """One message read to its end. `identity` is a hash over all but what carriers change on each try."""

    content: bytes | Blob
    identity: str
    from_line: bytes  # the From_ line that a carrier wrote above the message; b"" where there was none
    sender: str | None  # from Return-Path or the From_ line; "" is <>


class Fingerprint:
    """Hashes a message in passing; holds at most HEADER_LIMIT octets and one chunk of it."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._head: bytearray | None = bytearray()
        self.return_path: str | None = None

    def feed(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass the chunks on, and take note of them."""
        for chunk in chunks:
            if self._head is None:
                self._digest.update(chunk)
            else:
                self._head += chunk
                fresh = max(0, len(self._head) - len(chunk) - 4)
                if len(self._head) >= HEADER_LIMIT or _BLANK.search(self._head, fresh):
                    self._close()
            yield chunk

    def hexdigest(self) -> str:
        self._close()
        return self._digest.hexdigest()

    def _close(self) -> None:
        if self._head is None:
            return
        raw, self._head = bytes(self._head), None
        # Cut where the limit stands, not where a read happened to end: each offer must give the same hash.
        limit = len(raw) if _BLANK.search(raw, 0, HEADER_LIMIT) else HEADER_LIMIT
        self.return_path = return_path(raw[:limit])
        for piece in (*lasting(raw[:limit]), raw[limit:]):
            self._digest.update(piece)


def offered(read: Callable[[int], bytes], *, inline: int, spool: Spool) -> Offered:
    """Read a message to its end: at most `inline` octets stay in memory, a longer one goes to the spool as it comes.

    The From_ line is its carrier's, not part of the message.
    """
    chunks = iter(lambda: read(CHUNK), b"")
    start = bytearray()
    for chunk in chunks:
        start += chunk
        if len(start) > max(inline, CHUNK):
            break
    from_line = found[0] if (found := _FROM_LINE.match(start)) else b""
    fingerprint = Fingerprint()
    passing = fingerprint.feed(_chain(bytes(start[len(from_line) :]), chunks))
    content = spool.write(passing) if len(start) > inline else b"".join(passing)
    identity = fingerprint.hexdigest()
    sender = fingerprint.return_path
    if sender is None and found:
        sender = found[1].strip().decode("utf-8", "replace")
    return Offered(content=content, identity=identity, from_line=from_line, sender=sender)


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def lasting(raw: bytes) -> Iterator[bytes]:
    """The message (or its start) without the fields that its carriers add on each try."""
    blank = _BLANK.search(raw)
    end = blank.start() if blank else len(raw)
    at = 0
    on_top = True  # fetchmail's and getmail's Received fields only count above all others
    while at < end and (field := _FIELD.match(raw, at)) and field.end() > at:
        text = field[0]
        if not _CARRIER.match(text) and not (on_top and _FETCHED.match(text)):
            on_top = on_top and not text[:9].lower().startswith(b"received:")
            yield text
        at = field.end()
    yield raw[at:]


def return_path(raw: bytes) -> str | None:
    """The reverse-path that a carrier wrote into the header (RFC 5321 4.4). None: there is none."""
    blank = _BLANK.search(raw)
    for field in _FIELD.finditer(raw, 0, blank.start() if blank else len(raw)):
        if found := _RETURN_PATH.match(field[0]):
            return found[1].decode("utf-8", "replace")
    return None


def envelope(
    *, sender: str | None, recipients: Sequence[str], environment: Mapping[str, str], inside: str | None
) -> Envelope:
    """Options first, then SENDER, RECIPIENT and EXTENSION as Postfix's local(8) sets them, then the message itself."""
    if sender is None:
        sender = environment.get("SENDER", inside)
    if sender is not None and sender.strip("<> ").upper() in ("", "MAILER-DAEMON"):
        sender = ""  # pipe(8) and mbox writers spell the null reverse-path so
    if not recipients and environment.get("RECIPIENT"):
        recipients = [extended(environment["RECIPIENT"], environment.get("EXTENSION", ""))]
    return Envelope(sender=sender, recipients=tuple(recipients))


def extended(recipient: str, extension: str) -> str:
    """The recipient with its address extension, where the carrier names that apart."""
    local, at, domain = recipient.rpartition("@")
    if not extension or not at or local.endswith(extension):
        return recipient
    return f"{local}+{extension}@{domain}"


def source_key(*, pipeline: str, envelope: Envelope, identity: str, passes: bool, number: int = 0) -> str:
    """The same for each offer of the same message; `number` tells apart offers long after the first was done."""
    parts = [pipeline, envelope.sender, sorted(envelope.recipients), identity, passes]
    return f"{hashlib.sha256(json.dumps(parts).encode()).hexdigest()}/{number}"
