"""Comparisons that operators write: `">= 6, < 15"`, `"> 10MB"`, `"< 7d"`, `"< 2026-01-01"`, `"22:00-06:00"`."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any, Final

from postroom.units import parse_duration, parse_size

_SIGNS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_TERM: Final = re.compile(r"\s*(<=|>=|<|>|=)?\s*(\S(?:.*\S)?)\s*", re.DOTALL)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)\s?(Z|[+-]\d{2}:\d{2})?")
_SPAN: Final = re.compile(r"\s*(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s*")
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Terms that all have to hold, over numbers: a score, octets, or seconds."""

    terms: tuple[tuple[str, float], ...]

    def holds(self, value: float) -> bool:
        return all(_SIGNS[sign](value, bound) for sign, bound in self.terms)


@dataclass(frozen=True, slots=True)
class Instants:
    """Terms over points in time. A day means its start, and `=` its whole, in the zone given when asked."""

    terms: tuple[tuple[str, date | datetime], ...]

    def holds(self, value: datetime, zone: tzinfo) -> bool:
        return all(_compare(sign, value, bound, zone) for sign, bound in self.terms)


def _compare(sign: str, value: datetime, bound: date | datetime, zone: tzinfo) -> bool:
    if isinstance(bound, datetime):
        return _SIGNS[sign](value, bound if bound.tzinfo else bound.replace(tzinfo=zone))
    if sign == "=":
        return local(value, zone).date() == bound
    return _SIGNS[sign](value, datetime.combine(bound, time(), zone))


def local(value: datetime, zone: tzinfo) -> datetime:
    """`value` in the zone; a date at the edge of the calendar, which only a sender writes, as it is."""
    try:
        return value.astimezone(zone)
    except (OverflowError, ValueError):
        return value


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of the day, from its start up to and without its end; it may pass midnight."""

    start: time
    end: time

    def holds(self, at: time) -> bool:
        if self.start <= self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end


def parse_numbers(data: object) -> Comparison:
    """Raises ValueError with the remedy, as all here."""
    return _comparison(data, _number, 'a number is expected here: 6, or in quotes ">= 6, < 15"')


def parse_sizes(data: object) -> Comparison:
    return _comparison(data, parse_size, 'a size is expected here: "> 10MB", or ">= 1KiB, < 1MiB"')


def parse_ages(data: object) -> Comparison:
    return _comparison(
        data, lambda text: _seconds(parse_duration(text)), 'a duration is expected here: "< 7d"', bare=False
    )


def parse_instants(data: object) -> Instants:
    remedy = 'a day or time is expected here: "< 2026-01-01", ">= 2026-01-01T12:00"'
    if not isinstance(data, str):
        raise ValueError(remedy)  # noqa: TRY004 - one kind of error for whatever an operator writes
    return Instants(tuple((sign, _instant(text, remedy)) for sign, text in _terms(data, remedy)))


def parse_hours(data: object) -> Hours:
    found = _SPAN.fullmatch(data) if isinstance(data, str) else None
    try:
        if found is None:
            raise ValueError
        hours = Hours(time(int(found[1]), int(found[2])), _end(int(found[3]), int(found[4])))
    except ValueError:
        raise ValueError('a part of the day is expected here, in quotes: "22:00-06:00"') from None
    if hours.start == hours.end and found[3] != "24":
        raise ValueError("this part of the day is empty; leave the condition out for the whole day")
    return hours


def _end(hour: int, minute: int) -> time:
    return time(0) if (hour, minute) == (24, 0) else time(hour, minute)


def parse_weekday(data: object) -> int:
    """0 is Monday."""
    if isinstance(data, str) and data.lower() in WEEKDAYS:
        return WEEKDAYS.index(data.lower())
    raise ValueError(f"a day of the week is expected here: {', '.join(WEEKDAYS)}")


def _comparison(data: object, read: Callable[[str], float], remedy: str, *, bare: bool = True) -> Comparison:
    if isinstance(data, int | float) and not isinstance(data, bool) and bare:
        return Comparison((("=", data),))
    if not isinstance(data, str):
        raise ValueError(remedy)  # noqa: TRY004 - as above
    try:
        return Comparison(tuple((sign, read(text)) for sign, text in _terms(data, remedy)))
    except ValueError:
        raise ValueError(remedy) from None


def _terms(data: str, remedy: str) -> list[tuple[str, str]]:
    terms = [_TERM.fullmatch(term) for term in data.split(",")]
    if not all(terms):
        raise ValueError(remedy)
    return [(found[1] or "=", found[2]) for found in terms if found]


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return float(text)


def _seconds(span: timedelta) -> float:
    return span.total_seconds()


def _instant(text: str, remedy: str) -> date | datetime:
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        found = _INSTANT.fullmatch(text)
        if found is None:
            raise ValueError
        zone = (found[3] or "").replace("Z", "+00:00")
        return datetime.fromisoformat(f"{found[1]}T{found[2]}{zone}")
    except ValueError:
        raise ValueError(remedy) from None
