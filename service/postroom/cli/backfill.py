"""`postroom backfill`: old mail of an IMAP mailbox, on demand."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from postroom.cli.options import Config, mailboxes
from postroom.errors import Permanent
from postroom.settings import load
from postroom.settings.mailboxes import ImapMailbox

if TYPE_CHECKING:
    from postroom.sources.imap.backfill import Progress


def backfill(
    mailbox: Annotated[
        str, typer.Argument(metavar="MAILBOX", help="An IMAP mailbox of the settings.", autocompletion=mailboxes)
    ],
    folder: Annotated[
        list[str] | None, typer.Option(metavar="FOLDER", help="Only this folder; may be repeated.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(metavar="DAY", formats=["%Y-%m-%d"], help="Only what came since that day: 2026-01-31."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    no_effects: Annotated[
        bool, typer.Option("--no-effects", help="Record as known what is there, and do nothing with it.")
    ] = False,
    config: Config = None,
) -> None:
    """Take old mail, which `start: now` leaves alone. The running service works on it.

    May be ended at any time and begun anew: what was taken is known.
    """
    from postroom.backdesk import opened
    from postroom.sources.imap.backfill import Backfill

    settings = load(config)
    account = settings.mailboxes.get(mailbox)
    if not isinstance(account, ImapMailbox):
        known = [name for name, one in settings.mailboxes.items() if isinstance(one, ImapMailbox)]
        raise Permanent(f"no IMAP mailbox is called `{mailbox}`; there are: {', '.join(known) or 'none'}")
    if unknown := sorted(set(folder or ()) - set(account.folders)):
        told = ", ".join(account.folders)
        raise Permanent(f"`{unknown[0]}` is not among the folders that `{mailbox}` watches: {told}")
    with ExitStack() as stack:
        desk = opened(settings, mailbox, stack)
        for name in folder or account.folders:
            work = Backfill(
                account=account,
                desk=desk,
                folder=name,
                since=since.replace(tzinfo=UTC) if since else None,
                dry_run=dry_run,
                no_effects=no_effects,
                told=_shown(name, stack),
            )
            done = asyncio.run(work.run())
            taken = "" if dry_run else f", {done.taken} of them taken"
            print(f"{name}: {done.found} old messages{taken}")


def _shown(folder: str, stack: ExitStack) -> "Callable[[Progress], None]":
    """A bar on a terminal; elsewhere nothing until the end."""
    if not sys.stderr.isatty():
        return lambda _: None
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[taken]}"))
    bar = stack.enter_context(Bar(*columns, console=Console(stderr=True)))
    task = bar.add_task(folder, taken="")

    def told(progress: "Progress") -> None:
        bar.update(task, completed=progress.seen, total=progress.total, taken=f"{progress.taken} taken")

    return told
