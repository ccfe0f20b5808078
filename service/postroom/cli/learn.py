"""`postroom learn`: teach the embedded spam filter from messages that somebody sorted."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Annotated

import typer

from postroom.app import state_of
from postroom.bayes.filter import LEAST
from postroom.bayes.learner import Learner
from postroom.cli.options import Config, mailboxes
from postroom.errors import Permanent
from postroom.lessons import Files, Folder, lesson
from postroom.message import parse
from postroom.settings import Settings, load

if TYPE_CHECKING:
    from rich.progress import Progress


def learn(
    spam: Annotated[
        list[str] | None,
        typer.Option(metavar="WHERE", help="Spam: a directory, Maildir or mbox, or MAILBOX:FOLDER; may be repeated."),
    ] = None,
    ham: Annotated[list[str] | None, typer.Option(metavar="WHERE", help="What is no spam, likewise.")] = None,
    mailbox: Annotated[
        str | None,
        typer.Option(
            metavar="MAILBOX", help="For `learned: mailbox` of this mailbox; else for all.", autocompletion=mailboxes
        ),
    ] = None,
    config: Config = None,
) -> None:
    """Teach `spam: bayes` what is spam and what is not. What was learned before is not counted twice, and what was
    moved from one to the other is learned anew; of an IMAP folder only what came since the last time is read."""
    if not spam and not ham:
        raise typer.BadParameter("say where there is --spam, --ham or both")

    @cache
    def settings() -> Settings:
        return load(config)

    if mailbox is not None and mailbox not in settings().mailboxes:
        raise Permanent(f"no mailbox is called `{mailbox}`; there are: {', '.join(settings().mailboxes) or 'none'}")
    state = state_of(settings(), mailbox)
    directory = state / "bayes" / ("site" if mailbox is None else f"mailboxes/{mailbox}")
    lessons = [(where, kind) for kind, places in ((True, spam), (False, ham)) for where in places or ()]
    found = [(where, lesson(where, settings, directory), kind) for where, kind in lessons]
    with Learner(directory) as learner:
        for where, one, is_spam in found:
            seen, new = _taught(learner, one, where, is_spam=is_spam)
            print(f"{where}: {seen} messages, {new} of them new as {'spam' if is_spam else 'ham'}")
        print(f"learned so far: {learner.spam} as spam, {learner.ham} as ham")
        if min(learner.spam, learner.ham) < LEAST:
            print(f"that is too little to go by: {LEAST} of either kind are needed")


def _taught(learner: Learner, one: Files | Folder, where: str, *, is_spam: bool) -> tuple[int, int]:
    """How many messages there were, and how many of them were new."""
    seen = new = 0
    with _progress() as progress:
        task = progress.add_task(where, total=None)

        def count(total: int) -> None:
            progress.update(task, total=total)

        def take(raw: bytes) -> None:
            nonlocal seen, new
            seen += 1
            new += learner.learn(parse(raw), spam=is_spam)
            progress.advance(task)

        one.teach(count, take, learner.sync)
    return seen, new


@contextmanager
def _progress() -> Iterator["Progress"]:
    """A bar on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(file=sys.stderr)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        yield progress
