"""The Date field of a message (RFC 5322 §3.3 and §4.3), read as tolerantly as mail needs."""

import re
from datetime import UTC, datetime, timedelta, timezone

_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], start=1
    )
}
# Military letters were misdefined in RFC 822 and mean nothing (RFC 5322 §4.3); they read as UTC like unknown
# names.
_ZONES = {"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7}
_ZONES |= {
    "cet": 1,
    "met": 1,
    "mez": 1,
    "cest": 2,
    "mest": 2,
    "mesz": 2,
    "bst": 1,
    "eet": 2,
    "eest": 3,
    "jst": 9,
}
_LONGEST = 200
_COMMENT = re.compile(r"\([^()]*+\)?")
_DAY_FIRST = re.compile(r"(?<!\d)(\d{1,2})[\s-]+([A-Za-z]{3})[a-z]*\.?,?[\s-]+(\d{2,4})(?!\d)")
_MONTH_FIRST = re.compile(r"(?<![A-Za-z])([A-Za-z]{3})[a-z]*\.?\s+(\d{1,2}),?\s(?:.*?\s)??(\d{4})(?!\d)")
_NUMERIC = re.compile(r"(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)")
_TIME = re.compile(r"(\d{1,2})[:.](\d{1,2})(?:[:.](\d{1,2}))?(?:\.\d+)?\s*([AaPp][Mm]\b)?")
_OFFSET = re.compile(r"\s*\"?(?:GMT|UTC|UT)?\s*([+-])\s*(\d{1,2}):?(\d{2})?(?!\d)|\s*([A-Za-z]{1,5})\b")


def parse_date(text: str) -> datetime | None:
    """Read a date; None where there is none. Never raises.

    Two-digit years below 50 are of this century, others of the last one, and three digits count from 1900
    (RFC 5322 §4.3). No zone, an unknown one, and `-0000` are UTC. A leap second becomes the second before it.
    """
    text = _COMMENT.sub(" ", text[:_LONGEST])
    day = _day(text)
    if day is None:
        return None
    clock = _TIME.search(text)
    hour, minute, second, zone = 0, 0, 0, UTC
    if clock is not None:
        hour, minute, second = int(clock[1]), int(clock[2]), min(int(clock[3] or 0), 59)
        if clock[4]:
            hour = hour % 12 + (12 if clock[4].lower() == "pm" else 0)
        zone = _zone(text, clock.end())
    try:
        return datetime(*day, hour, minute, second, tzinfo=zone)
    except ValueError:
        return None


def _day(text: str) -> tuple[int, int, int] | None:
    if match := _DAY_FIRST.search(text):
        month, year = _MONTHS.get(match[2].lower()), match[3]
        return (_year(year), month, int(match[1])) if month else None
    if match := _MONTH_FIRST.search(text, _after_weekday(text)):
        month = _MONTHS.get(match[1].lower())
        return (int(match[3]), month, int(match[2])) if month else None
    if match := _NUMERIC.search(text):
        return int(match[1]), int(match[2]), int(match[3])
    return None


def _after_weekday(text: str) -> int:
    match = re.match(r"\s*(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s", text, re.IGNORECASE)
    return match.end() if match else 0


def _year(digits: str) -> int:
    year = int(digits)
    if len(digits) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(digits) == 3 else year


def _zone(text: str, position: int) -> timezone:
    match = _OFFSET.match(text, position)
    if match is None:
        return UTC
    if match[4]:
        return _fixed(_ZONES.get(match[4].lower(), 0) * 60)
    digits = match[2] + (match[3] or "")
    hours, minutes = (int(match[2]), int(match[3] or 0)) if len(digits) != 3 else (int(digits[0]), int(digits[1:]))
    total = hours * 60 + minutes
    return _fixed(-total if match[1] == "-" else total)


def _fixed(minutes: int) -> timezone:
    return timezone(timedelta(minutes=minutes)) if minutes and abs(minutes) < 24 * 60 else UTC
