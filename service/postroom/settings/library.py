"""The pipelines of one directory: loaded by name together with what they run, and checked together."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from postroom.errors import Located, Misconfigured, Problem
from postroom.pipeline.pipeline import Pipeline
from postroom.settings.abilities import misplaced
from postroom.settings.circles import circles
from postroom.settings.document import Source, Trail
from postroom.settings.flow import Flow, Way
from postroom.settings.load import Missing
from postroom.settings.mailboxes import recipients
from postroom.settings.model import Settings
from postroom.settings.pipelines import PipelineFile, read_pipeline
from postroom.settings.words import Words
from postroom.suggestions import suggestion
from postroom.units import format_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One pipeline, and by name all that it runs, itself included."""

    file: PipelineFile
    files: Mapping[str, PipelineFile]

    @property
    def pipelines(self) -> dict[str, Pipeline]:
        return {name: file.pipeline for name, file in self.files.items()}


class Library:
    """Files are read when first named. `problems` collects what is wrong with them."""

    def __init__(self, directory: Path, settings: Settings | None = None) -> None:
        self.directory = directory
        self.settings = settings
        self.files: dict[str, PipelineFile | None] = {}
        self.problems: dict[Located, None] = {}
        self.visited: set[str] = set()
        plugins = settings.plugins if settings else ()
        self._words = Words(plugins=plugins, defaults=_defaults(settings) if settings else {})

    def known(self) -> list[str]:
        """Names of all pipelines in the directory."""
        return sorted(path.stem for path in self.directory.glob("*.yaml"))

    def read(self, name: str) -> bool:
        """Read a pipeline and all that it runs; False: there is no such file."""
        waiting = [name]
        while waiting:
            if (one := waiting.pop()) in self.files:
                continue
            path = self.directory / f"{one}.yaml"
            if "/" in one or not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises in a closed directory
                continue  # the walk tells where it was named
            waiting += self._compiled(one, path)
        return name in self.files

    def check(self, entries: Iterable[str], *, facts: bool = True) -> None:
        """Walk the pipelines that messages enter; `facts`: no fact reaches these, as nobody runs them."""
        secrets = frozenset(self.settings.secrets) if self.settings else None
        servers = _servers(self.settings) if self.settings else None
        given = frozenset(name for name, one in self.settings if one is not None) if self.settings else None
        flow = Flow(self.files, secrets, self.visited, servers=servers, given=given)
        for name in entries:
            if name in self.files:
                flow.enter(name, Way((), frozenset() if facts else None))
        self.problems |= flow.found
        if self.settings is not None:
            self.problems |= dict.fromkeys(misplaced(self.settings, self._reached))
            self.problems |= dict.fromkeys(circles(self.settings, self._reached))

    def missing(self, name: str) -> str:
        """The sentence for a pipeline that is not there."""
        if os.path.isfile(self.directory / f"{name}.yml"):  # noqa: PTH113
            return f"there is no pipeline `{name}` in {self.directory}: rename {name}.yml to {name}.yaml"
        if self.directory.is_dir() and not os.access(self.directory, os.R_OK | os.X_OK):
            return f"there may be a pipeline `{name}` in {self.directory}, which this user cannot read"
        return f"there is no pipeline `{name}` in {self.directory}{suggestion(name, self.known())}"

    def good(self) -> dict[str, PipelineFile]:
        """All files read. Raises Misconfigured when anything is wrong with any of them."""
        if self.problems:
            raise Misconfigured(in_order(self.problems))
        return {name: file for name, file in self.files.items() if file is not None}

    def unvisited(self) -> list[str]:
        """Pipelines that no message comes to: they only run each other."""
        return [name for name in self.files if name not in self.visited]

    def called(self) -> set[str]:
        """Names of pipelines that others run."""
        return {called for file in self.files.values() if file for called in runs(file)}

    def _compiled(self, name: str, path: Path) -> list[str]:
        try:
            file = read_pipeline(path, self._words)
        except Misconfigured as error:
            self.files[name] = None
            self.problems |= dict.fromkeys(error.problems)
            return []
        self.files[name] = file
        self.problems |= dict.fromkeys(file.problems)
        return runs(file)

    def _reached(self, name: str | None) -> Iterable[PipelineFile]:
        waiting, seen = [name], set[str | None]()
        while waiting:
            if (one := waiting.pop()) not in seen and one and (file := self.files.get(one)):
                waiting += runs(file)
                yield file
            seen.add(one)


def _defaults(settings: Settings) -> dict[str, str]:
    """Options of steps that give none themselves."""
    given = settings.defaults
    found = {
        "timeout": format_duration(given.timeout) if given.timeout else None,
        "server": given.server,
        "reports": given.server,
        "from": given.from_,
    }
    return {key: value for key, value in found.items() if value is not None}


def runs(file: PipelineFile) -> list[str]:
    """Names of the pipelines that a file's steps run."""
    steps = (step for entry in file.entries for _, step in entry.steps)
    return [named.name for step in steps for named in step.names() if named.kind == "pipeline"]


def in_order(problems: Iterable[Located]) -> list[Located]:
    """By file and place."""
    return sorted(problems, key=lambda one: (one.file, one.line, one.column))


def load_pipelines(
    settings: Settings, names: Iterable[str] | None = None, *, facts: bool = True
) -> dict[str, Pipeline]:
    """The named pipelines (None: those of all mailboxes) and all that they run. Raises Misconfigured.

    `facts=False`: others may run these pipelines, so facts that they ask about may come from there.
    """
    library = Library(settings.pipelines, settings)
    wanted = dict.fromkeys(names, settings.source.file) if names is not None else {}
    for name in list(wanted):
        if not library.read(name):
            library.problems[Missing(settings.source.file, 1, 1, Problem((), library.missing(name)))] = None
    if names is None:
        wanted = dict.fromkeys(read_mailboxes(library, settings), settings.source.file)
    library.check(wanted, facts=facts)
    return {name: file.pipeline for name, file in library.good().items()}


def read_mailboxes(library: Library, settings: Settings) -> list[str]:
    """Read the pipelines of all mailboxes; answers with their names."""
    found = []
    for trail, name in _named(settings):
        if library.read(name):
            found.append(name)
            continue
        library.problems[settings.source.locate(Problem(trail, _unnamed(library, settings.source, trail, name)))] = None
    return list(dict.fromkeys(found))


def _named(settings: Settings) -> Iterator[tuple[Trail, str]]:
    """Pipelines that mailboxes name, and where; one that names none is told by the settings."""
    for mailbox, one in settings.mailboxes.items():
        if name := settings.pipeline_of(mailbox):
            yield ("mailboxes", mailbox, "pipeline") if one.pipeline else ("defaults", "pipeline"), name
        for number, recipient in enumerate(recipients(one)):
            if recipient.pipeline:
                yield ("mailboxes", mailbox, "recipients", number, "pipeline"), recipient.pipeline


def _unnamed(library: Library, source: Source, trail: Trail, name: str) -> str:
    # A value from the environment may be a secret in the wrong place.
    return "there is no pipeline of this name" if trail in source.replaced else library.missing(name)


def load_pipeline(named: str, settings: Settings | None = None) -> Loaded:
    """One pipeline as a command line names it: a path where it holds `/` or ends in .yaml, else a name.

    What it runs is looked for beside it. Facts may come from those who run it. Raises Misconfigured.
    """
    is_path = "/" in named or named.endswith(".yaml")
    if not is_path and settings is None:
        told = f"there is no configuration to look `{named}` up in; give its path, `{named}.yaml`"
        raise Misconfigured([Missing(named, 1, 1, Problem((), told))])
    path = Path(named) if is_path or settings is None else settings.pipelines / f"{named}.yaml"
    library = Library(path.parent, settings)
    if not library.read(path.stem) or path.suffix != ".yaml":
        told = _no_pipeline(path) if is_path else library.missing(named)
        raise Misconfigured([Missing(named, 1, 1, Problem((), told))])
    library.check([path.stem], facts=False)
    files = library.good()
    return Loaded(file=files[path.stem], files=files)


def _no_pipeline(path: Path) -> str:
    """The sentence for a path that leads to no pipeline."""
    if os.path.isdir(path):  # noqa: PTH112
        return "is a directory; name the file in it"
    if os.path.exists(path):  # noqa: PTH110
        return f"a pipeline is a file that ends in .yaml: rename it to {path.stem}.yaml"
    return f"there is no such file `{path}`"


def _servers(settings: Settings) -> frozenset[str]:
    """What steps may name. A default that is none is told once, where it stands."""
    default = settings.defaults.server
    return frozenset([*settings.servers, *([default] if default else [])])
