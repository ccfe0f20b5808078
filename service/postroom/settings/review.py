"""Everything that `postroom check` can find without touching the network: the settings and every pipeline."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from postroom.errors import Located, Misconfigured, Problem
from postroom.settings.library import Library, in_order, read_mailboxes
from postroom.settings.load import examine
from postroom.settings.model import Settings
from postroom.settings.suggestions import suggestion
from postroom.settings.words import plugin


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What was looked at and what is wrong with it."""

    file: Path
    problems: tuple[Located, ...]
    mailboxes: Mapping[str, str] = field(default_factory=dict)  # to their pipelines
    pipelines: Mapping[str, int] = field(default_factory=dict)  # to the number of their rules


def review(path: Path, *, environment: Mapping[str, str] = os.environ) -> Review:
    """Look at a configuration and every pipeline in its directory. What operators write never raises."""
    try:
        settings, problems = examine(path, environment=environment)
    except Misconfigured as error:
        return Review(file=path, problems=error.problems)
    if settings is None:
        return Review(file=path, problems=tuple(problems))
    library = Library(settings.pipelines, settings)
    problems += _plugins(settings)
    problems += _directory(library, settings)
    entries = read_mailboxes(library, settings)
    for name in library.known():
        library.read(name)
    # A pipeline that nobody runs is entered as a mailbox's is; one that others run is seen through them.
    called = library.called()
    library.check([*entries, *(name for name in library.files if name not in called)])
    library.check(library.unvisited(), facts=False)
    return Review(
        file=path,
        problems=tuple(in_order(dict.fromkeys([*problems, *library.problems]))),
        mailboxes={name: settings.pipeline_of(name) or "" for name in settings.mailboxes},
        pipelines={name: len(file.entries) for name, file in sorted(library.files.items()) if file},
    )


def _plugins(settings: Settings) -> list[Located]:
    from importlib.metadata import entry_points

    installed = [point.name for point in entry_points(group="postroom.steps")]
    return [
        settings.source.locate(Problem(("plugins", number), _absent(name, installed)))
        for number, name in enumerate(settings.plugins)
        if plugin(name) is None
    ]


def _absent(name: str, installed: list[str]) -> str:
    if name in installed:
        return f"the entry point `{name}` gives no step of this word"
    return f"no installed package offers a step `{name}`{suggestion(name, installed)}"


def _directory(library: Library, settings: Settings) -> list[Located]:
    if not settings.pipelines.is_dir():
        told = f"there is no directory {settings.pipelines}"
    elif not library.known():
        told = f"there is no pipeline, no file *.yaml, in {settings.pipelines}"
    else:
        return []
    return [settings.source.locate(Problem(("pipelines",), told))]
