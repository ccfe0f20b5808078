"""Structured logs: event names and fields from closed lists, never an address, a subject or a secret."""

import logging
import os
import sys
import traceback
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypedDict, Unpack, get_args

from postroom.errors import PostroomError

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]


Event = Literal[
    "message.planned",
    "message.unplanned",
    "message.done",
    "message.dead",
    "message.settled",
    "effect.done",
    "effect.later",
    "effect.dead",
    "effect.uncertain",
    "mailbox.connected",
    "mailbox.lost",
    "mailbox.refused",
    "mailbox.paused",
    "mailbox.uidvalidity",
    "mailbox.lease",
    "mailbox.learned",
    "mailbox.unlearned",
    "scanner.away",
    "queue.unavailable",
    "work.failed",
    "sweep.done",
    "sweep.failed",
    "clock.set",
    "spool.short",
    "ledger.locked",
    "config.loaded",
    "config.outdated",
    "config.refused",
    "service.failed",
    "service.late",
    "service.started",
    "service.draining",
    "service.stopped",
    "library.warned",
]
"""Everything that is ever written; another name is a type error."""


LONGEST = max(map(len, get_args(Event)))


class Fields(TypedDict, total=False):
    """All that may stand beside an event: names from the configuration, numbers, and sentences of our own."""

    mailbox: str
    message: int  # its number in the ledger
    effect: str  # its key
    word: str
    scanner: str
    code: int
    count: int  # messages
    seconds: float
    rows: int
    orphans: int
    listen: str  # where metrics are
    reason: str  # what one of our own errors says; of others their kind only
    place: str  # where in our code an error came from that is a bug of ours


class Log(Protocol):
    """Where events go."""

    def info(self, event: Event, **fields: Unpack[Fields]) -> None: ...
    def warning(self, event: Event, **fields: Unpack[Fields]) -> None: ...


class StandardError:
    """Logs on standard error: JSON when that is not a terminal. structlog is loaded with the first line written.

    What is warned of while an error is handled that is none of ours names the place where that came from.
    """

    def __init__(self, *, format: Format = "auto", level: Level = "info") -> None:  # noqa: A002 - the setting's name
        self._format = format
        self._level = LEVELS[level]

    def info(self, event: Event, **fields: Unpack[Fields]) -> None:
        if self._level <= LEVELS["info"]:
            self._logger.info(event, **fields)

    def warning(self, event: Event, **fields: Unpack[Fields]) -> None:
        if self._level <= LEVELS["warning"]:
            self._logger.warning(event, **self._placed(fields))

    def _placed(self, fields: Fields) -> Fields:
        error = sys.exception()
        if error is None or isinstance(error, PostroomError) or not (where := place(error)):
            return fields
        return {"place": where, **fields}

    @cached_property
    def _logger(self) -> "FilteringBoundLogger":
        import structlog

        console = self._format == "console" or (self._format == "auto" and sys.stderr.isatty())
        colors = not os.environ.get("NO_COLOR")
        renderer = (
            structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=LONGEST)
            if console
            else structlog.processors.JSONRenderer()
        )
        logger: FilteringBoundLogger = structlog.wrap_logger(
            structlog.WriteLogger(sys.stderr),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(*(("%H:%M:%S", False) if console else ("iso", True))),
                leading,
                renderer,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(self._level),
        )
        return logger


def place(error: BaseException) -> str:
    """Module and line of the innermost frame of ours; empty where none is."""
    frames = [(frame.f_globals.get("__name__", ""), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    ours = [f"{module}:{line}" for module, line in frames if module.startswith("postroom.")]
    return ours[-1] if ours else ""


def leading(_: object, __: str, event: "EventDict") -> "EventDict":
    """When, how bad and what come first, so that people can read lines of JSON, too."""
    first = ("timestamp", "level", "event")
    return {**{key: event[key] for key in first}, **event}


class Foreign(logging.Handler):
    """What libraries log: whose warning it is, the kind of error and its place. Never their words, which may quote a
    message or an address."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """One record, as a line of ours."""
        told = f"{record.name}, {record.module}.py:{record.lineno}"
        if record.exc_info and record.exc_info[0] is not None:
            frames = traceback.extract_tb(record.exc_info[2])
            place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
            told += f": {record.exc_info[0].__name__}{place}"
        self._log.warning("library.warned", reason=told)


def listen_to_libraries(log: Log) -> None:
    """From now on their warnings are lines of ours, instead of text of their own on standard error."""
    root = logging.getLogger()
    root.addHandler(Foreign(log))
    logging.captureWarnings(capture=True)
