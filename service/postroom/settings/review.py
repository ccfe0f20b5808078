"""Everything that `postroom check` can find without touching the network: the settings and every pipeline."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from postroom.errors import Located, Misconfigured, Problem
from postroom.settings import cases
from postroom.settings.library import Library, in_order, read_mailboxes
from postroom.settings.load import examine
from postroom.settings.model import Settings
from postroom.settings.named import notes, programs
from postroom.steps import EFFECTS, STEPS
from postroom.steps.plugins import fault, installed, plugin
from postroom.suggestions import suggestion


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What was looked at and what is wrong with it."""

    file: Path
    problems: tuple[Located, ...]
    notes: tuple[Located, ...] = ()  # nothing wrong, but worth a look
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
    problems += [one for file in library.files.values() if file for one in cases.read(file)[1]]
    return Review(
        file=path,
        problems=tuple(in_order(dict.fromkeys([*problems, *library.problems]))),
        notes=tuple(in_order([*notes(settings), *programs(filter(None, library.files.values()))])),
        mailboxes={name: settings.pipeline_of(name) or "" for name in settings.mailboxes},
        pipelines={name: len(file.entries) for name, file in sorted(library.files.items()) if file},
    )


def _plugins(settings: Settings) -> list[Located]:
    """Plugins that give no step, and names of steps and effects that would hide others."""
    taken = {*STEPS}, {*EFFECTS}
    told = [(number, _plugin_fault(name, *taken)) for number, name in enumerate(settings.plugins)]
    return [settings.source.locate(Problem(("plugins", number), text)) for number, text in told if text]


def _plugin_fault(name: str, words: set[str], effects: set[str]) -> str:
    found = plugin(name)
    if found is None:
        known = installed()
        return fault(name) if name in known else f"no installed package offers a step `{name}`{suggestion(name, known)}"
    own = [one.word for one in found.effects]
    if name in words:
        return f"there is a step `{name}` already"
    if hidden := effects.intersection(own):
        return f"its effect `{min(hidden)}` has the word of another step's effect"
    words.add(name)
    effects.update(own)
    return ""


def _directory(library: Library, settings: Settings) -> list[Located]:
    if not settings.pipelines.is_dir():
        told = f"there is no directory {settings.pipelines}"
    elif not os.access(settings.pipelines, os.R_OK | os.X_OK):
        told = f"the directory {settings.pipelines} cannot be read by this user"
    elif not library.known():
        told = f"there is no pipeline, no file *.yaml, in {settings.pipelines}"
    else:
        return []
    return [settings.source.locate(Problem(("pipelines",), told))]
