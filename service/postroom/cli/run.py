"""`postroom run`, `watch` and `work`: the service in one process, or its two halves in many."""

import asyncio
import gc
import os
import sys
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from postroom.cli.options import Config, Mailboxes
from postroom.errors import Misconfigured, PostroomError, Problem
from postroom.logs import StandardError, listen_to_libraries
from postroom.settings.model import Metrics

Listen = Annotated[
    str | None,
    typer.Option("--metrics", metavar="ADDRESS", help="Instead of `metrics: listen` of the settings; or none."),
]


def run(config: Config = None, mailbox: Mailboxes = None, metrics: Listen = None) -> None:
    """Watch all mailboxes and work on what they bring, until a signal comes."""
    serve(config, metrics, only=mailbox or (), watches=True, works=True)


def watch(config: Config = None, mailbox: Mailboxes = None, metrics: Listen = None) -> None:
    """Watch mailboxes; workers elsewhere do the rest. Needs a queue that others can reach."""
    serve(config, metrics, only=mailbox or (), watches=True, works=False)


def work(config: Config = None, metrics: Listen = None) -> None:
    """Work on what watchers elsewhere bring. More CPU means more such processes."""
    serve(config, metrics, only=(), watches=False, works=True)


def serve(config: Path | None, metrics: str | None, *, only: Collection[str], watches: bool, works: bool) -> None:
    """One process from start to end. Raises Misconfigured, Permanent and Temporary before it has begun."""
    # Celery and all else that only the service needs.
    from postroom.service import Service, read, watched

    settings = read(config)
    listen = address(metrics) if metrics is not None else settings.settings.metrics.listen
    named = watched(settings.settings, only) if watches else frozenset()
    names = None if watches and not only else named
    if settings.settings.queue.url == "memory://" and not (watches and works):
        told = "memory:// cannot be reached by another process: name a Redis, or use `postroom run`"
        raise Misconfigured([settings.settings.source.locate(Problem(("queue", "url"), told))])
    log = StandardError(format=settings.settings.logs.format, level=settings.settings.logs.level)

    listen_to_libraries(log)

    async def main() -> None:
        with ExitStack() as stack:
            service = Service(settings, path=config, watches=names, works=works, listen=listen, log=log, stack=stack)
            # What is there now lives as long as the process: the collector need not look at it again.
            gc.collect()
            gc.freeze()
            # Connections share the interpreter with workers that compute: they get their turn ten times as often.
            sys.setswitchinterval(0.0005)
            try:
                await service.run(ready)
            finally:
                late.append(service.late)

    late: list[bool] = []
    failure: PostroomError | None = None
    try:
        asyncio.run(main())
    except PostroomError as error:
        failure = error
    if any(late):
        # Python would wait for the thread of that effect. Its row says that it was begun.
        sys.stderr.flush()
        os._exit(75 if failure else 0)
    if failure is not None:
        raise failure


def address(text: str) -> str | None:
    """What stands behind --metrics, as in the settings. Raises BadParameter."""
    try:
        return Metrics(listen=text).listen
    except ValueError as error:
        raise typer.BadParameter("--metrics must be ADDRESS:PORT, such as 127.0.0.1:9925, or `none`") from error


def ready() -> None:
    """Everything is up."""
