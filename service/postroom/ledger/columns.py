"""How values lie in the ledger's columns: clean text, times as microseconds, envelopes as JSON."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from postroom.short import short_hash

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LONGEST_ERROR = 2000
_LONGEST_INDEXED = 600  # characters of at most 4 octets: PostgreSQL takes 2,704 octets an entry


def clean(text: str) -> str:
    r"""Text that both databases take: NUL and lone surrogates become `\x00` and `\udc80` spelt out.

    Spelt out and not replaced by one sign, so that two names which differ stay different.
    """
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def indexed(text: str) -> str:
    """Clean text for a column with an index, whose entries a database bounds: a long one ends in its hash."""
    text = clean(text)
    if len(text) <= _LONGEST_INDEXED:
        return text
    return f"{text[: _LONGEST_INDEXED - 65]}#{hashlib.sha256(text.encode()).hexdigest()}"


def clean_error(text: str) -> str:
    """A reason as it is stored: clean and bounded."""
    return clean(text)[:_LONGEST_ERROR]


def micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    return (moment - _EPOCH) // _MICROSECOND


def span(period: timedelta) -> int:
    """A duration in microseconds."""
    return period // _MICROSECOND


def instant(value: int) -> datetime:
    """The time in UTC."""
    return _EPOCH + timedelta(microseconds=value)


def moment(value: int | None) -> datetime | None:
    """The time in UTC; None for null and for 0, which means "at once" where times are compared."""
    return instant(value) if value else None


def flags_text(flags: Iterable[str]) -> str:
    """Flags hold no spaces (RFC 9051 `atom`), so spaces part them."""
    return clean(" ".join(sorted(flags)))


def envelope_text(sender: str | None, recipients: Iterable[str]) -> str:
    """The envelope as JSON: `{"sender": …, "recipients": […]}`."""
    return json.dumps(
        {"sender": None if sender is None else clean(sender), "recipients": [clean(r) for r in recipients]},
        ensure_ascii=False,
    )


def envelope(text: str) -> tuple[str | None, tuple[str, ...]]:
    """Sender and recipients out of the JSON."""
    value = json.loads(text)
    return value["sender"], tuple(value["recipients"])


@lru_cache(maxsize=1000)
def message_key(mailbox: str, source_key: str) -> str:
    """The stable name of a message, 26 characters of base32: the same whenever it is planned again."""
    return short_hash(clean(mailbox), indexed(source_key))
