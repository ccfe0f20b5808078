"""Files that settings and rules name for later: secrets, certificates, programs. Where one is not there yet, or not as
it should be."""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from postroom.errors import Located, Problem
from postroom.settings.document import Trail
from postroom.settings.model import Settings
from postroom.settings.pipelines import PipelineFile

SECRET: Final = frozenset({"password-file", "token-file", "secret-file", "key-file", "tls-key", "file"})
CONTAINER: Final = "/run/secrets"  # mounted there for one container; nobody else is in it
PUBLIC: Final = frozenset({"tls-ca", "tls-certificate"})


def notes(settings: Settings) -> list[Located]:
    """Not wrong in itself: they may lie on another machine, or be for another user's eyes."""
    found = ((trail, _note(path, secret=trail[-1] in SECRET)) for trail, path in _named(settings, ()))
    return [settings.source.locate(Problem(trail, told)) for trail, told in found if told]


def programs(files: Iterable[PipelineFile]) -> Iterator[Located]:
    """Programs that steps name and this user could not start; they may lie on another machine."""
    for file in files:
        for trail, step in ((trail, step) for entry in file.entries for trail, step in entry.steps):
            command = getattr(step, "command", ())
            if command and command[0].constant and shutil.which(command[0].source) is None:
                told = f"there is no program {command[0].source} that this user could start"
                yield file.source.locate(Problem((*trail, "command", 0), told))


def _named(value: object, trail: Trail) -> Iterator[tuple[Trail, Path]]:
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            yield from _named(getattr(value, name), (*trail, field.alias or name))
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _named(one, (*trail, key))
    elif isinstance(value, tuple):
        for number, one in enumerate(value):
            yield from _named(one, (*trail, number))
    elif isinstance(value, Path) and trail[-1] in SECRET | PUBLIC:
        yield trail, value


def _note(path: Path, *, secret: bool) -> str:
    try:
        status = path.stat()
    except FileNotFoundError:
        return f"there is no file {path}; it is needed once the service runs"
    except OSError as error:
        return f"{path} cannot be looked at by this user: {error.strerror}"
    if secret and status.st_mode & 0o004 and not path.is_relative_to(CONTAINER):
        return f"everybody on this machine can read {path}; `chmod o-r` it"
    return "" if os.access(path, os.R_OK) else f"{path} cannot be read by this user"
