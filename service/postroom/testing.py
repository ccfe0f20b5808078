"""What tests of steps, pipelines and plugins stand on: a message builder, a fixed clock, and fakes that can fail.

A test of a step: `[*MyStep(to="invoices").plan(testing.view(testing.message(subject="Hi")), testing.tools())]`.
"""

from base64 import encodebytes
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.utils import format_datetime
from hashlib import sha256
from mimetypes import MimeTypes
from pathlib import Path
from typing import Any, Literal

from postroom.errors import Temporary
from postroom.message import parse
from postroom.pipeline.outcome import Effect, Letter
from postroom.pipeline.outgoing import Mail, Reply
from postroom.pipeline.tools import Reservation, Tools
from postroom.pipeline.view import Envelope, View
from postroom.transports.dns import Answers, Exchanger

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MAGIC = {  # how contents of a type begin, so that an attachment made of nothing is still recognised
    "application/pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "application/zip": b"PK\x03\x04\x14\x00\x00\x00\x08\x00",
    "image/png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    "image/gif": b"GIF89a\x01\x00\x01\x00",
}
Addresses = str | Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attachment of a built message. Without contents they are made: the type's first octets, then `size`."""

    name: str
    type: str = ""
    content: bytes | None = None
    size: int | None = None

    @property
    def media_type(self) -> str:
        # A table of its own: the machine's mime.types would make messages differ between machines.
        return self.type or MimeTypes().guess_type(self.name)[0] or "application/octet-stream"

    @property
    def octets(self) -> bytes:
        content = MAGIC.get(self.media_type, b"") if self.content is None else self.content
        return content if self.size is None else content[: self.size].ljust(self.size, b"x")


def message(
    *,
    from_: Addresses = "Ann <ann@example.org>",
    to: Addresses = "bob@example.com",
    cc: Addresses = None,
    subject: str | None = "Hello",
    text: str | None = "Hello.\n",
    html: str | None = None,
    headers: Mapping[str, str | Sequence[str]] | None = None,
    attachments: Sequence[str | Attachment] = (),
    date: datetime | str | None = NOW,
    message_id: str | None = "<1@example.org>",
) -> bytes:
    """An RFC 5322 message with CRLF line ends, the same for the same arguments; None leaves a field out.

    `headers` stand on top as they are given, so that Received and trusted fields can be told, and in place of a field
    of that name that would be made. A subject that is not ASCII is encoded (RFC 2047), other values are written as
    UTF-8 (RFC 6532).
    """
    own = {name.lower() for name in headers or {}}
    lines = [f"{name}: {one}" for name, value in (headers or {}).items() for one in _several(value)]
    made = {
        "From": None if from_ is None else ", ".join(_several(from_)),
        "To": None if to is None else ", ".join(_several(to)),
        "Cc": None if cc is None else ", ".join(_several(cc)),
        "Subject": None if subject is None else _word(subject),
        "Message-ID": message_id,
        "Date": format_datetime(date) if isinstance(date, datetime) else date,
        "MIME-Version": "1.0",
    }
    lines += [f"{name}: {value}" for name, value in made.items() if value is not None and name.lower() not in own]
    head = "".join(f"{line}\r\n" for line in lines)
    return head.encode("utf-8", "surrogateescape") + _body(text, html, [_attachment(one) for one in attachments])


def _several(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


def _word(value: str) -> str:
    return value if value.isascii() else Header(value, "utf-8").encode(linesep="\r\n")


def _attachment(given: str | Attachment) -> Attachment:
    return Attachment(given) if isinstance(given, str) else given


def _body(text: str | None, html: str | None, attachments: Sequence[Attachment]) -> bytes:
    texts = [_text(kind, one) for kind, one in (("plain", text), ("html", html)) if one is not None]
    first = texts[0] if len(texts) == 1 else _multipart("alternative", texts)
    if not texts:
        first = _text("plain", "")
    return _multipart("mixed", [first, *map(_attached, attachments)]) if attachments else first


def _text(kind: str, text: str) -> bytes:
    lines = "\r\n".join(text.splitlines()) + "\r\n"
    head = f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    return (head + lines).encode("utf-8", "surrogateescape")


def _attached(one: Attachment) -> bytes:
    name = one.name.replace("\\", "\\\\").replace('"', '\\"')
    head = (
        f"Content-Type: {one.media_type}\r\nContent-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment; filename="{name}"\r\n\r\n'
    )
    return head.encode("utf-8", "surrogateescape") + encodebytes(one.octets).replace(b"\n", b"\r\n")


def _multipart(kind: str, parts: Iterable[bytes]) -> bytes:
    boundary = f"=_{kind}"
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), part) for part in parts)
    return b'Content-Type: multipart/%s; boundary="%s"\r\n\r\n%s--%s--\r\n' % (
        kind.encode(), boundary.encode(), body, boundary.encode(),
    )  # fmt: skip


@dataclass
class Failures:
    """Which calls of a fake fail, counting all its calls from 1: `Failures({2})` or `Failures(range(1, 100))`."""

    at: Container[int] = ()
    error: Callable[[], Exception] = lambda: Temporary("the fake was told to fail")
    calls: int = 0

    def count(self) -> None:
        self.calls += 1
        if self.calls in self.at:
            raise self.error()


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a memory: reserved until its message ends, or remembered."""

    holder: str
    until: datetime
    remembered: bool


@dataclass
class Memory:
    """A memory in a dictionary, with the rules of the ledger's."""

    clock: Callable[[], datetime] = lambda: NOW
    failures: Failures = field(default_factory=Failures)
    entries: dict[tuple[str, str], Entry] = field(default_factory=dict)

    def reserve(self, space: str, key: str, holder: str, period: timedelta) -> Reservation:
        self.failures.count()
        found = self._found(space, key)
        if found is None:
            self.entries[space, key] = Entry(holder, self.clock() + period, remembered=False)
        if found is None or found.holder == holder:
            return Reservation.FREE
        return Reservation.KNOWN if found.remembered else Reservation.HELD

    def remember(self, space: str, key: str, holder: str, period: timedelta) -> bool:
        """False where another message's is known or reserved."""
        self.failures.count()
        found = self._found(space, key)
        if found is not None and found.holder != holder:
            return False
        self.entries[space, key] = Entry(holder, self.clock() + period, remembered=True)
        return True

    def recall(self, space: str, key: str) -> bool:
        self.failures.count()
        found = self._found(space, key)
        return found is not None and found.remembered

    def release(self, holder: str) -> None:
        """The holder's message ended without success: what it reserved is free again."""
        self.entries = {at: one for at, one in self.entries.items() if one.remembered or one.holder != holder}

    def _found(self, space: str, key: str) -> Entry | None:
        found = self.entries.get((space, key))
        return found if found is not None and found.until > self.clock() else None


@dataclass
class Transport:
    """A server in memory. `replies`: what it says about a recipient, 250 where nothing stands; `sent`: all mails."""

    replies: dict[str, Reply] = field(default_factory=dict)
    holds: bool = False
    failures: Failures = field(default_factory=Failures)
    sent: list[Mail] = field(default_factory=list)

    def prepare(self) -> bool:
        return True

    def send(self, mail: Mail) -> Mapping[str, Reply]:
        self.failures.count()
        self.sent.append(mail)
        taken = Reply(code=250, enhanced="2.0.0", text="ok", phase="the final dot", queue_id=f"Q{len(self.sent)}")
        return {one: self.replies.get(one, taken) for one in mail.recipients}


@dataclass(frozen=True)
class Seal:
    """Signs with a word."""

    word: str = "secret"

    def sign(self, text: str) -> str:
        return sha256(f"{self.word} {text}".encode()).hexdigest()[:32]

    def verify(self, text: str, signature: str) -> bool:
        return signature == self.sign(text)


@dataclass
class Names:
    """A resolver that knows these TXT records and nothing else."""

    records: Mapping[str, Sequence[bytes]] = field(default_factory=dict)

    def texts(self, name: str) -> Answers[bytes]:
        return Answers(tuple(self.records.get(name, ())), name in self.records)

    def addresses(self, name: str, kind: Literal["A", "AAAA"]) -> Answers[str]:
        return Answers(exists=False)

    def exchangers(self, name: str) -> Answers[Exchanger]:
        return Answers(exists=False)

    def names(self, address: str) -> Answers[str]:
        return Answers(exists=False)


@dataclass(frozen=True)
class Home:
    """A home like an IMAP mailbox: the watcher moves, copies and flags there, so nothing is left for the worker."""

    refuses: frozenset[str] = frozenset()  # flags that a message there cannot carry

    def deliver(
        self, word: Literal["keep", "move", "copy"], folder: str, flags: frozenset[str], *, create: bool
    ) -> Effect | None:
        return None

    def holds(self, flag: str) -> bool:
        return flag not in self.refuses


def view(raw: bytes | None = None, **changes: Any) -> View:
    """A view of a message (`message()` where none is given); any field of View may be given by name."""
    given: dict[str, Any] = {
        "message": parse(message() if raw is None else raw),
        "envelope": Envelope(sender="ann@example.org", recipients=("bob@example.com",)),
        "mailbox": "test",
        "key": "test-message",
        "home": Home(),
        "received": NOW,
        "now": NOW,
    }
    return View(**(given | changes))


def tools(directory: Path | None = None, **changes: Any) -> Tools:
    """A context that touches nothing but `directory`; any field of Tools may be given by name."""
    below = directory or Path("/nonexistent/postroom")
    given: dict[str, Any] = {
        "clock": lambda: NOW,
        "timezone": UTC,
        "host": "test.example",
        "files": below / "files",
        "quarantine": below / "quarantine",
        "memory": Memory(),
        "seal": Seal(),
    }
    return Tools(**(given | changes))


def letter(raw: bytes | None = None, **changes: Any) -> Letter:
    """A message as an effect gets it; any field of Letter may be given by name."""
    given: dict[str, Any] = {
        "key": "A" * 26,
        "chunks": (message() if raw is None else raw,),
        "envelope": Envelope(sender="ann@example.org", recipients=("bob@example.com",)),
        "mailbox": "test",
        "received": NOW,
    }
    return Letter(**(given | changes))
