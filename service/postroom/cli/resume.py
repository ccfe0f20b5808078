"""`postroom resume`: what a person decides about a mailbox that paused."""

from typing import Annotated

import typer

from postroom.app import open_ledger, state_of
from postroom.cli.options import Config, mailboxes
from postroom.errors import Permanent
from postroom.settings import load


def resume(
    mailbox: Annotated[
        str,
        typer.Argument(metavar="MAILBOX", help="One that `postroom status` shows as paused.", autocompletion=mailboxes),
    ],
    take: Annotated[bool, typer.Option("--take", help="What is unknown there is new mail: work on it.")] = False,
    skip: Annotated[bool, typer.Option("--skip", help="What is unknown there is old: leave it alone.")] = False,
    config: Config = None,
) -> None:
    """Let a mailbox go on whose server made a folder anew and that waits for a person's decision."""
    if take == skip:
        raise typer.BadParameter("say either --take or --skip")
    settings = load(config)
    if mailbox not in settings.mailboxes:
        known = ", ".join(settings.mailboxes) or "none"
        raise Permanent(f"no mailbox is called `{mailbox}`; there are: {known}")
    with open_ledger(settings, state_of(settings, None)) as ledger:
        paused = {one.mailbox for one in ledger.watched() if one.paused}
        if mailbox not in paused:
            raise Permanent(f"`{mailbox}` has not paused; paused are: {', '.join(sorted(paused)) or 'none'}")
        ledger.decide(mailbox, "take" if take else "skip")
    print(f"{mailbox}: it goes on within seconds")
