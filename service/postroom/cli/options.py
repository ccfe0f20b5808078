"""Options that several commands share, and what a shell may complete in them."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from postroom.settings import Settings, load


def _names(of: Callable[[Settings], list[str]]) -> Callable[[typer.Context, str], list[str]]:
    """Names from the settings; where they cannot be read, none."""

    def complete(context: typer.Context, incomplete: str) -> list[str]:
        try:
            named = context.params.get("config")
            return [name for name in of(load(Path(named) if named else None)) if name.startswith(incomplete)]
        except Exception:  # a shell waits, and can show no reason
            return []

    return complete


mailboxes = _names(lambda settings: list(settings.mailboxes))
pipelines = _names(lambda settings: sorted(path.stem for path in settings.pipelines.glob("*.yaml")))

Config = Annotated[
    Path | None,
    typer.Option(readable=False, metavar="FILE", help="Settings; else $POSTROOM_CONFIG, ./postroom.yaml ..."),
]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
OfMailbox = Annotated[str | None, typer.Option(metavar="MAILBOX", help="Only this mailbox.", autocompletion=mailboxes)]
Mailboxes = Annotated[
    list[str] | None,
    typer.Option("--mailbox", metavar="MAILBOX", help="Only this one; may be repeated.", autocompletion=mailboxes),
]
