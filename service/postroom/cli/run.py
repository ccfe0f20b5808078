"""`postroom run`, `watch` and `work`: the service in one process, or its two halves in many."""

import asyncio
import gc
from collections.abc import Collection
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from postroom.logs import StandardError
from postroom.service import Service, read, watched

Config = Annotated[Path | None, typer.Option(help="Settings; else $POSTROOM_CONFIG, ./postroom.yaml …")]
Mailboxes = Annotated[list[str] | None, typer.Option("--mailbox", help="Only this one; may be repeated.")]


def run(config: Config = None, mailbox: Mailboxes = None) -> None:
    """Watch all mailboxes and work on what they bring, until a signal comes."""
    serve(config, only=mailbox or (), watches=True, works=True)


def watch(config: Config = None, mailbox: Mailboxes = None) -> None:
    """Watch mailboxes; workers elsewhere do the rest. Needs a queue that others can reach."""
    serve(config, only=mailbox or (), watches=True, works=False)


def work(config: Config = None) -> None:
    """Work on what watchers elsewhere bring. More CPU means more such processes."""
    serve(config, only=(), watches=False, works=True)


def serve(config: Path | None, *, only: Collection[str], watches: bool, works: bool) -> None:
    """One process from start to end. Raises Misconfigured, Permanent and Temporary before it has begun."""
    settings = read(config)
    names = watched(settings.settings, only) if watches else ()
    log = StandardError(format=settings.settings.logs.format, level=settings.settings.logs.level)

    async def main() -> None:
        with ExitStack() as stack:
            service = Service(settings, path=config, watches=names, works=works, log=log, stack=stack)
            # What is there now lives as long as the process: the collector need not look at it again.
            gc.collect()
            gc.freeze()
            await service.run(ready)

    asyncio.run(main())


def ready() -> None:
    """Everything is up."""
