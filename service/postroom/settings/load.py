"""Finds postroom.yaml, reads it and answers with settings, or with everything that is wrong with it."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from postroom.errors import Located, Misconfigured, Problem, cause
from postroom.settings.document import Document, Trail, parse_document, read_octets, refusal
from postroom.settings.environment import with_environment
from postroom.settings.mailboxes import FORMS, is_known
from postroom.settings.model import Settings
from postroom.settings.sentences import EMPTY, problems
from postroom.suggestions import suggestion

MISSING = "is missing here"
MAKE_ONE = "`postroom init DIR` makes one"


def load(path: Path | None = None, *, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in `path`, or in the first file found where INTERFACES says. Raises Misconfigured."""
    settings, wrong = examine(path or find(environment), environment=environment)
    if settings is None or wrong:
        raise Misconfigured(wrong)
    return settings


def find(environment: Mapping[str, str] = os.environ) -> Path:
    """$POSTROOM_CONFIG where it is set, else the first place that holds a file. Raises Misconfigured."""
    if named := environment.get("POSTROOM_CONFIG"):
        return Path(named)
    for place in places(environment):
        if _is_file(place):
            return place
    raise Misconfigured([Missing("postroom.yaml", 1, 1, Problem((), f"no configuration file was found; {MAKE_ONE}"))])


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        told = f"cannot be looked at: {cause(error)}"
        raise Misconfigured([Missing(str(path), 1, 1, Problem((), told))]) from None


class Missing(Located):
    """There is no file that lines could be counted in."""

    def __str__(self) -> str:
        return f"{self.file}: {self.problem.text}"


def places(environment: Mapping[str, str]) -> Iterator[Path]:
    """Where a configuration is looked for, in this order."""
    yield Path("postroom.yaml")
    yield Path("config/postroom.yaml")
    if home := environment.get("HOME"):
        yield Path(home, ".config/postroom/postroom.yaml")
    yield Path("/etc/postroom/postroom.yaml")


def examine(path: Path, *, environment: Mapping[str, str] = os.environ) -> tuple[Settings | None, list[Located]]:
    """Settings as far as they can be used, and what is wrong. Raises Misconfigured for what is no YAML."""
    if not _is_file(path):
        told = "is a directory; name the file in it" if path.is_dir() else f"there is no such file; {MAKE_ONE}"
        raise Misconfigured([Missing(str(path), 1, 1, Problem((), told))])
    document = with_environment(parse_document(read_octets(path, str(path)), str(path)), environment)
    if document.data is None and not document.problems:
        raise refusal(str(path), "the file is empty; `mailboxes` and `pipelines` are where to begin")
    found = [document.source.locate(Problem(trail, EMPTY)) for trail in nulls(document.data)]
    try:
        settings = _settings(document, path.absolute().parent.resolve())
    except ValidationError as error:
        clearly = clear(problems(error, document.data, Settings), document.data)
        found += [document.source.locate(one) for one in clearly]
    else:
        found += [document.source.locate(one) for one in unanswered(settings)]
        return settings, ordered(document, found)
    # Outside the handler: the error still holds what it refused, and a traceback would show it as a context.
    return _sound(document, found, path), ordered(document, found)


def _sound(document: Document, found: list[Located], path: Path) -> Settings | None:
    """What is left without wrong keys, so that `check` can go on to the pipelines; None: too little."""
    broken = {one.problem.path[0] for one in found if one.problem.path}
    if not isinstance(document.data, dict) or broken & {"pipelines", "plugins", "secrets"}:
        return None
    data = {key: value for key, value in document.data.items() if key not in broken}
    try:
        return _settings(replace(document, data=data), path.absolute().parent.resolve())
    except ValidationError:
        return None


def _settings(document: Document, directory: Path) -> Settings:
    # As JSON in strict mode a value is what the schema says: text stays text, a list makes a tuple.
    data = document.data
    text = json.dumps({"pipelines": "pipelines", **data} if isinstance(data, dict) else data)
    settings = Settings.model_validate_json(text, strict=True, context=directory, by_alias=True, by_name=False)
    settings._source = document.source
    return settings


def nulls(data: object, trail: Trail = ()) -> Iterator[Trail]:
    """Where a key or an entry has no value."""
    if data is None and trail:
        yield trail
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, one in entries:
        yield from nulls(one, (*trail, key))


def clear(found: list[Problem], data: object) -> Iterator[Problem]:
    """Without what only follows from a mailbox whose kind nobody can tell: just its url is wrong."""
    mailboxes = data.get("mailboxes") if isinstance(data, dict) else None
    vague = {
        ("mailboxes", name)
        for name, one in (mailboxes.items() if isinstance(mailboxes, dict) else ())
        if isinstance(one, dict) and not is_known(one)
    }
    for one in found:
        if one.path[:2] not in vague or "`url`" in one.text:  # a misspelt one
            yield one
        elif one.path[2:] == ("url",):
            yield replace(one, text=f"{one.text}: {FORMS}") if one.text == MISSING else one


def unanswered(settings: Settings) -> Iterator[Problem]:
    """What is wrong between the settings' own parts."""
    for name, mailbox in settings.mailboxes.items():
        if settings.pipeline_of(name) is None:
            told = "names no `pipeline`, and there is no `defaults: {pipeline: …}`"
            yield Problem(("mailboxes", name), told, key=True)
        if any(store is not None and os.path.isfile(store) for store in mailbox.stores):  # noqa: PTH113 - may be closed
            yield Problem(("mailboxes", name, "store"), "is a file; it must be the directory of a Maildir++")
    if (server := settings.defaults.server) and server not in settings.servers:
        told = f"there is no server `{server}` under `servers`{suggestion(server, settings.servers)}"
        yield Problem(("defaults", "server"), told)
    first: dict[str, str] = {}
    for name, mailbox in settings.mailboxes.items():
        if mailbox.kind == "listener" and (other := first.setdefault(mailbox.url.partition(":")[2], name)) != name:
            yield Problem(("mailboxes", name, "url"), f"the mailbox `{other}` listens there already")


def ordered(document: Document, found: list[Located]) -> list[Located]:
    """All problems by place, without those that only follow from how the file is written."""
    written = {one.problem.path for one in document.problems}
    own = [one for one in found if not any(one.problem.path[: len(path)] == path for path in written if path)]
    every = [*document.problems, *own]
    return sorted(dict.fromkeys(every), key=lambda one: (one.file, one.line, one.column))
