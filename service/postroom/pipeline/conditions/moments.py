"""Fields of time: `age`, `date`, `received`, `time`, `weekday`."""

from collections.abc import Sequence
from typing import Any, Final

from postroom.pipeline.comparisons import parse_ages, parse_hours, parse_weekday
from postroom.pipeline.condition import Condition
from postroom.pipeline.conditions.patterns import HoursTest, NumberTest, Test, WeekdayTest
from postroom.pipeline.conditions.questions import compared
from postroom.pipeline.conditions.reading import Reader, Trail
from postroom.pipeline.view import View

MOMENTS: Final = ("date", "received", "time", "weekday")


def age(reader: Reader, data: object, trail: Trail) -> Condition | None:
    def seconds(view: View) -> Sequence[float]:
        return ((view.now - view.received).total_seconds(),)

    def read(value: object, place: Trail) -> Test[float] | None:
        return reader.tried(place, lambda: NumberTest(parse_ages(value)))

    return compared(reader, "age", data, trail, seconds, lambda value: f"{value:.0f}s", read)


def date(reader: Reader, data: object, trail: Trail) -> Condition | None:
    def dates(view: View) -> Sequence[Any]:
        return () if view.message.date is None else (view.message.date,)

    return compared(reader, "date", data, trail, dates, str, reader.instants)


def received(reader: Reader, data: object, trail: Trail) -> Condition | None:
    return compared(reader, "received", data, trail, lambda view: (view.received,), str, reader.instants)


def time(reader: Reader, data: object, trail: Trail) -> Condition | None:
    def read(value: object, place: Trail) -> Test[Any] | None:
        return reader.tried(place, lambda: HoursTest(parse_hours(value)))

    return compared(reader, "time", data, trail, lambda view: (view.received,), str, read)


def weekday(reader: Reader, data: object, trail: Trail) -> Condition | None:
    def read(value: object, place: Trail) -> Test[Any] | None:
        return reader.tried(place, lambda: WeekdayTest(parse_weekday(value)))

    return compared(reader, "weekday", data, trail, lambda view: (view.received,), str, read)
