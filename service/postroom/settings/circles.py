"""Mail that would go round for ever: rules that file it into the Maildir that it came from."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from postroom.errors import Located, Problem
from postroom.settings.document import Trail
from postroom.settings.mailboxes import MaildirMailbox
from postroom.settings.model import Settings
from postroom.settings.pipelines import PipelineFile

Reached = Callable[[str | None], Iterable[PipelineFile]]
"""All files that a message of a pipeline may come through."""


def circles(settings: Settings, reached: Reached) -> Iterator[Located]:
    """Steps that file messages of a watched Maildir back into it, straight or by way of others that are watched."""
    watched = _watched(settings)
    filing = {name: list(_filing(settings, reached(settings.pipeline_of(name)), watched)) for name in watched.values()}
    leads = {name: {to for _, _, to in steps} for name, steps in filing.items()}
    for name, steps in filing.items():
        for file, trail, to in steps:
            if name in _after(to, leads):
                told = (
                    f"files mail of the mailbox `{name}` into a Maildir from where it comes back: use `move` or `keep`"
                )
                yield file.source.locate(Problem(trail, told))


def _watched(settings: Settings) -> Mapping[str, str]:
    """Mailboxes by their Maildirs."""
    base = settings.file.absolute().parent
    return {
        os.path.realpath(mailbox.directory(base)): name
        for name, mailbox in settings.mailboxes.items()
        if isinstance(mailbox, MaildirMailbox)
    }


def _filing(
    settings: Settings, files: Iterable[PipelineFile], watched: Mapping[str, str]
) -> Iterator[tuple[PipelineFile, Trail, str]]:
    """Steps, where they stand, and the mailbox into whose Maildir each files."""
    below = settings.state_of() / "files"
    for file in files:
        for entry in file.entries:
            for trail, step in entry.steps:
                for named in step.names():
                    if named.kind == "maildir":
                        to = watched.get(os.path.realpath(below / Path(named.name).expanduser()))
                        if to is not None:
                            yield file, trail, to


def _after(name: str, leads: Mapping[str, set[str]]) -> set[str]:
    """Mailboxes that a message may come through from that one on."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        if (one := waiting.pop()) not in found:
            found.add(one)
            waiting += leads[one]
    return found
