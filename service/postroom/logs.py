"""Structured logs: event names and fields from closed lists, never an address, a subject or a secret."""

import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol, TypedDict, Unpack

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]


Event = Literal[
    "message.planned",
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
    "queue.unavailable",
    "work.failed",
    "sweep.done",
    "spool.short",
    "ledger.locked",
    "config.loaded",
    "config.refused",
    "service.started",
    "service.draining",
    "service.stopped",
]
"""Everything that is ever written; another name is a type error."""


class Fields(TypedDict, total=False):
    """All that may stand beside an event: names from the configuration, numbers, and sentences of our own."""

    mailbox: str
    message: int  # its number in the ledger
    effect: str  # its key
    word: str
    code: int
    seconds: float
    rows: int
    orphans: int
    listen: str  # where metrics are
    reason: str  # what one of our own errors says; of others their kind only


class Log(Protocol):
    """Where events go."""

    def info(self, event: Event, **fields: Unpack[Fields]) -> None: ...
    def warning(self, event: Event, **fields: Unpack[Fields]) -> None: ...


class StandardError:
    """Logs on standard error: JSON when that is not a terminal. structlog is loaded with the first line written."""

    def __init__(self, *, format: Format = "auto", level: Level = "info") -> None:  # noqa: A002 - the setting's name
        self._format = format
        self._level = LEVELS[level]

    def info(self, event: Event, **fields: Unpack[Fields]) -> None:
        if self._level <= LEVELS["info"]:
            self._logger.info(event, **fields)

    def warning(self, event: Event, **fields: Unpack[Fields]) -> None:
        if self._level <= LEVELS["warning"]:
            self._logger.warning(event, **fields)

    @cached_property
    def _logger(self) -> "FilteringBoundLogger":
        import structlog

        console = self._format == "console" or (self._format == "auto" and sys.stderr.isatty())
        colors = not os.environ.get("NO_COLOR")
        renderer = structlog.dev.ConsoleRenderer(colors=colors) if console else structlog.processors.JSONRenderer()
        logger: FilteringBoundLogger = structlog.wrap_logger(
            structlog.WriteLogger(sys.stderr),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper("iso"),
                renderer,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(self._level),
        )
        return logger
