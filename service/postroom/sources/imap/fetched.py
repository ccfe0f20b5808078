"""FETCH responses by UID."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone

from postroom.sources.imap.responses import Data
from postroom.sources.imap.values import Value

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DATE = re.compile(rb" ?(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_BODY = re.compile(rb"BODY\[\](?:<(\d{1,10})>)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was told of one message; None: not told."""

    uid: int
    size: int | None = None
    flags: frozenset[str] | None = None
    date: bytes | None = None  # INTERNALDATE as the server writes it
    body: bytes | None = None  # of BODY[], whole or a range
    origin: int | None = None  # where the range begins; None: the server says it is the whole
    number: int | None = None  # its place in the folder, just now

    @property
    def arrived(self) -> datetime | None:
        """INTERNALDATE; None where it cannot be read."""
        return _date(self.date) if self.date else None


def fetched(data: Iterable[Data]) -> dict[int, Fetched]:
    """All that FETCH responses tell, by UID. What names no UID (a flag that another program changes meanwhile) does
    not count; what is told later about the same UID adds to it."""
    found: dict[int, Fetched] = {}
    for one in data:
        if one.name == "FETCH" and (told := _read(one)) is not None:
            found[told.uid] = _merged(found[told.uid], told) if told.uid in found else told
    return found


def _read(data: Data) -> Fetched | None:
    items = data.values()
    if len(items) != 1 or not isinstance(items[0], list):
        return None
    told, origin = {}, None
    for name, value in zip(items[0][::2], items[0][1::2], strict=False):
        if isinstance(name, bytes) and (found := _BODY.fullmatch(name)):
            told[b"BODY"], origin = value, int(found[1]) if found[1] else None
        elif isinstance(name, bytes):
            told[name.upper()] = value
    uid = _number(told.get(b"UID"))
    if not uid:
        return None
    date, body, flags = told.get(b"INTERNALDATE"), told.get(b"BODY"), told.get(b"FLAGS")
    return Fetched(
        uid=uid,
        size=_number(told.get(b"RFC822.SIZE")),
        flags=_flags(flags) if isinstance(flags, list) else None,
        date=date if isinstance(date, bytes) and _DATE.fullmatch(date) else None,
        body=body if isinstance(body, bytes) else None,
        origin=origin,
        number=data.number,
    )


def _merged(first: Fetched, then: Fetched) -> Fetched:
    told = {name: getattr(then, name) for name in ("size", "flags", "date", "body", "origin")}
    merged = replace(first, **{name: value for name, value in told.items() if value is not None})
    # Two bodies for one UID: one of them is another message's.
    contradicts = first.body is not None and then.body is not None and first.body != then.body
    return replace(merged, body=None) if contradicts else merged


def _number(value: Value) -> int | None:
    return int(value) if isinstance(value, bytes) and value.isdigit() and len(value) <= 10 else None


def _flags(values: list[Value]) -> frozenset[str]:
    return frozenset(value.decode("utf-8", "replace") for value in values if isinstance(value, bytes))


def _date(text: bytes) -> datetime | None:
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    day, month, year, hour, minute, second, sign, east, minutes = (part.decode() for part in found.groups())
    try:
        offset = timedelta(hours=int(east), minutes=int(minutes)) * (-1 if sign == "-" else 1)
        moment = datetime(
            int(year), MONTHS.index(month.title()) + 1, int(day), int(hour), int(minute), int(second),
            tzinfo=timezone(offset),
        )  # fmt: skip
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
