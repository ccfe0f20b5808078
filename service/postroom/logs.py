"""Structured logs: one event name each, fields from a closed list, never an address, a subject or a secret."""

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]


class Log(Protocol):
    """What the worker tells; fields: mailbox, message, effect, word, code, seconds."""

    def info(self, event: str, **fields: str | float) -> None: ...
    def warning(self, event: str, **fields: str | float) -> None: ...


class StandardError:
    """Logs on standard error: JSON when that is not a terminal. structlog is loaded with the first line written."""

    def __init__(self, *, format: Format = "auto", level: Level = "info") -> None:  # noqa: A002 - the setting's name
        self._format = format
        self._level = LEVELS[level]

    def info(self, event: str, **fields: str | float) -> None:
        if self._level <= LEVELS["info"]:
            self._logger.info(event, **fields)

    def warning(self, event: str, **fields: str | float) -> None:
        if self._level <= LEVELS["warning"]:
            self._logger.warning(event, **fields)

    @cached_property
    def _logger(self) -> "FilteringBoundLogger":
        import structlog

        console = self._format == "console" or (self._format == "auto" and sys.stderr.isatty())
        renderer = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
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
