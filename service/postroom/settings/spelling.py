"""How values are written in postroom.yaml: kebab-case keys, paths relative to the file, names."""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, ConfigDict, PlainSerializer, ValidationInfo, WithJsonSchema

from postroom.units import format_duration, parse_duration

NAME = "[A-Za-z0-9][A-Za-z0-9._-]{0,99}"


def kebab(name: str) -> str:
    """`min_free` is written `min-free`; a trailing underscore only keeps Python's words free (`for_`)."""
    return name.rstrip("_").replace("_", "-")


SETTINGS: Final = ConfigDict(alias_generator=kebab, defer_build=True)
"""Of every model: built once, as a part of Settings; each `postroom filter` is a new process and reads its own."""


def _located(path: Path, info: ValidationInfo) -> Path:
    base = info.context if isinstance(info.context, Path) else Path()
    try:
        return Path(os.path.normpath(base / path.expanduser()))
    except RuntimeError:
        raise ValueError("`~` stands for a home directory, and there is none here") from None


def _name(value: str) -> str:
    if not re.fullmatch(NAME, value):
        raise ValueError("a name is letters, digits, `.`, `_` and `-`, and begins with a letter or digit")
    return value


def _stored(value: object) -> object:
    if value is None:
        raise ValueError("has no value; write a directory, or `none` where nothing is to be kept")
    return None if value == "none" else value


def _period(value: object) -> timedelta | None:
    return None if value == "never" else parse_duration(value)


def _never(value: timedelta | None) -> str:
    return "never" if value is None else format_duration(value)


FilePath = Annotated[Path, AfterValidator(_located), WithJsonSchema({"type": "string"})]
Store = Annotated[FilePath | None, BeforeValidator(_stored), WithJsonSchema({"type": "string"})]
Period = Annotated[
    timedelta | None,
    BeforeValidator(_period),
    PlainSerializer(_never, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^(never|\s*[0-9.]+\s*[smhdw]\s*)$"}),
]
Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{NAME}$"})]
