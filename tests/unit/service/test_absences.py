"""A scanner that is away for long fills no disk with lines that say so."""

import threading
from typing import Any, get_args

from postroom.logs import Event, Log
from postroom.pipeline.tools import ScannerName
from postroom.service.absences import Absences


class Paper:
    """A log that can be looked at."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def info(self, event: Event, **fields: Any) -> None:
        self.lines.append({"event": event, **fields})

    warning = info


class Station:
    """Metrics, a log and a clock for one of them."""

    def __init__(self) -> None:
        self.counted: list[ScannerName] = []
        self.paper = Paper()
        self.now = 0.0
        log: Log = self.paper
        self.absences = Absences(self.counted.append, log, lambda: self.now)

    def away(self, times: int, scanner: ScannerName = "rspamd", reason: str = "rspamd is away") -> None:
        for _ in range(times):
            self.absences.away(scanner, reason)


def test_the_first_message_is_told_of_at_once_and_the_rest_once_a_minute_while_all_are_counted() -> None:
    station = Station()
    station.away(1000)
    station.now = 59.9
    station.away(1)
    assert [line["count"] for line in station.paper.lines] == [1]
    station.now = 60.0
    station.away(5, reason="rspamd does not answer in time")
    assert [line["count"] for line in station.paper.lines] == [1, 1001]
    assert station.paper.lines[1]["reason"] == "rspamd does not answer in time"
    assert len(station.counted) == 1006


def test_each_scanner_has_a_line_of_its_own() -> None:
    station = Station()
    for scanner in get_args(ScannerName):
        station.away(3, scanner)
    assert [line["scanner"] for line in station.paper.lines] == [*get_args(ScannerName)]


def test_of_threads_that_find_it_away_at_once_one_tells() -> None:
    station = Station()
    threads = [threading.Thread(target=station.away, args=(500,)) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    station.now = 61.0
    station.away(1)
    assert [line["count"] for line in station.paper.lines] == [1, 4000]
    assert len(station.counted) == 4001
