"""Dates as mail has them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroom.message.dates import parse_date


def at(year: int, month: int, day: int, *clock: int, offset: int = 0) -> datetime:
    """Give the time; `offset` in minutes."""
    hour, minute, second = (*clock, 0, 0, 0)[:3]
    return datetime(year, month, day, hour, minute, second, tzinfo=timezone(timedelta(minutes=offset)))


@pytest.mark.parametrize(
    ("text", "when"),
    [
        pytest.param("Fri, 21 Nov 1997 09:55:06 -0600", at(1997, 11, 21, 9, 55, 6, offset=-360), id="plain"),
        pytest.param("21 Nov 1997 09:55:06 +0530", at(1997, 11, 21, 9, 55, 6, offset=330), id="no-weekday"),
        pytest.param("21 Nov 1997 09:55 -0600", at(1997, 11, 21, 9, 55, offset=-360), id="no-seconds"),
        pytest.param("21 Nov 97 09:55:06 GMT", at(1997, 11, 21, 9, 55, 6), id="two-digits-of-the-last-century"),
        pytest.param("21 Nov 24 09:55:06 GMT", at(2024, 11, 21, 9, 55, 6), id="two-digits-of-this-century"),
        pytest.param("21 Nov 124 09:55:06 GMT", at(2024, 11, 21, 9, 55, 6), id="three-digits"),
        pytest.param("Thu,  1 Jan 2026 0:5:0 EST", at(2026, 1, 1, 0, 5, offset=-300), id="named-zone"),
        pytest.param("1 Jan 2026 10:00:00 -0000", at(2026, 1, 1, 10), id="unknown-zone"),
        pytest.param("1 Jan 2026 10:00:00 K", at(2026, 1, 1, 10), id="military-zone"),
        pytest.param("1 Jan 2026 10:00:00", at(2026, 1, 1, 10), id="no-zone"),
        pytest.param("1 Jan 2026 10:00:00 +0100 (CET)", at(2026, 1, 1, 10, offset=60), id="comment"),
        pytest.param("1 Jan 2026 10:00:00 GMT+0200", at(2026, 1, 1, 10, offset=120), id="gmt-and-offset"),
        pytest.param("1 Jan 2026 10:00:00 +01:30", at(2026, 1, 1, 10, offset=90), id="offset-with-colon"),
        pytest.param("1 Jan 2026 10:00:00 -600", at(2026, 1, 1, 10, offset=-360), id="offset-of-three-digits"),
        pytest.param("1 Jan 2026 10:00:00 +9900", at(2026, 1, 1, 10), id="offset-over-a-day"),
        pytest.param("31 Dec 2016 23:59:60 +0000", at(2016, 12, 31, 23, 59, 59), id="leap-second"),
        pytest.param("Fri,21-Nov-1997 09.55.06 GMT", at(1997, 11, 21, 9, 55, 6), id="other-separators"),
        pytest.param("Friday, November 21, 1997 9:55 PM", at(1997, 11, 21, 21, 55), id="month-first"),
        pytest.param("Fri Nov 21 09:55:06 1997", at(1997, 11, 21, 9, 55, 6), id="asctime"),
        pytest.param("2026-01-31 10:00:00 +0100", at(2026, 1, 31, 10, offset=60), id="iso"),
        pytest.param("2026-01-31T10:00:00Z", at(2026, 1, 31, 10), id="iso-with-letters"),
        pytest.param("21 November 1997", at(1997, 11, 21), id="day-alone"),
        pytest.param("", None, id="empty"),
        pytest.param("yesterday", None, id="words"),
        pytest.param("32 Jan 2026 10:00:00 +0000", None, id="no-such-day"),
        pytest.param("21 Foo 2026 10:00:00 +0000", None, id="no-such-month"),
        pytest.param("1 Jan 2026 25:00:00 +0000", None, id="no-such-hour"),
        pytest.param("1 Jan 0000 10:00:00 +0000", None, id="no-such-year"),
        pytest.param("x" * 300 + "1 Jan 2026 10:00:00", None, id="far-behind-rubbish"),
    ],
)
def test_a_date_is_read(text: str, when: datetime | None) -> None:
    found = parse_date(text)
    assert found == when
    assert found is None or when is None or found.utcoffset() == when.utcoffset()


@given(st.text(max_size=300) | st.from_regex(r"\w+, [0-9٠-٩]+ (Jan|Feb) \d+ \d+:\d+:\d+ [+-]\d+", fullmatch=True))
def test_no_text_makes_it_raise(text: str) -> None:
    found = parse_date(text)
    assert found is None or found.tzinfo is not None


@given(st.datetimes(min_value=datetime(1950, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - the strategy adds it
def test_what_is_written_by_the_rules_is_read_back(when: datetime) -> None:
    assert parse_date(f"{when:%a, %d %b} {when.year} {when:%H:%M:%S} +0000") == when.replace(microsecond=0)
