"""Types and defaults as operators write them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, JsonValue, SecretStr

from postroom.message.defects import Defect
from postroom.message.headers import Headers
from postroom.model import OneOrMore
from postroom.pipeline.templates import Template
from postroom.settings.cases import Instant
from postroom.settings.spelling import FilePath, Name, Period, Store
from postroom.steps.mode import Mode
from postroom.units import Duration, Size, format_duration, format_size

NULL: Final = "`null`"
# The first mark of each is what tells it from others of the same Python type.
_NAMED: Final = (
    (Size, ("size",)), (Duration, ("duration",)), (Period, ("duration", "`never`")), (Store, ("path", "`none`")),
    (FilePath, ("path",)), (Name, ("name",)), (Mode, ("mode",)), (Instant, ("day", "time")),
)  # fmt: skip
_PLAIN: Final[Mapping[object, tuple[str, ...]]] = {
    bool: ("`true`", "`false`"), int: ("whole number",), float: ("number",), str: ("text",), SecretStr: ("text",),
    Path: ("path",), datetime: ("time (ISO 8601)",), timedelta: ("duration",), NoneType: (NULL,),
    JsonValue: ("any JSON",), Any: ("any YAML",), Headers: ("list of mappings",), Defect: ("[defect](defects.md)",),
}  # fmt: skip


def spelled(annotation: Any, marks: Sequence[Any] = (), *, null: bool = True) -> str:
    """What may be written for a value of this type; `marks` are what `Annotated` adds to it."""
    *first, last = dict.fromkeys(word for word in _words(annotation, marks) if null or word != NULL)
    return f"{', '.join(first)} or {last}" if first else last


def _words(annotation: Any, marks: Sequence[Any] = ()) -> Sequence[str]:
    if get_origin(annotation) is Annotated:
        return _words(annotation.__origin__, (*annotation.__metadata__, *marks))
    for alias, words in _NAMED:
        if _mark(alias) in marks:
            return words
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return [word for one in inner for word in _words(one)]
    if origin is Literal:
        return [f"`{one}`" for one in inner]
    if origin in (tuple, list, frozenset):
        entry = spelled(inner[0])
        return (f"{entry}, or a list",) if OneOrMore in marks else (f"list of {_plural(entry)}",)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return (f"mapping of {_plural(spelled(inner[0]))} to {spelled(inner[1])}",)
    return _class(annotation)


def _class(annotation: Any) -> Sequence[str]:
    assert isinstance(annotation, type), annotation
    if issubclass(annotation, Template):
        return (f"{annotation.place} ([template](templates.md))",)
    if issubclass(annotation, Enum):
        return [f"`{one.value}`" for one in annotation]
    assert issubclass(annotation, BaseModel), annotation
    names = [field.alias or name for name, field in annotation.model_fields.items()]
    return (f"`{{{names[0]}: …}}`" if len(names) == 1 else "mapping",)


def _mark(alias: Any) -> object:
    return alias.__metadata__[0]


def _plural(word: str) -> str:
    first, _, rest = word.partition(" ")
    return f"{first}s {rest}".rstrip() if first in ("argument", "mapping", "name", "path") else word


def written(value: object, kind: str) -> str:
    """A default as it would stand in the file; empty where there is none to tell."""
    match value:
        case bool():
            return "`true`" if value else "`false`"
        case int() if "size" in kind:
            return f"`{format_size(value)}`"
        case int() if kind == "mode":
            return f"`{value:04o}`"
        case timedelta():
            return f"`{format_duration(value)}`"
        case datetime():
            return f"`{value:%Y-%m-%dT%H:%M}`"
        case None:
            return "`never`" if "never" in kind else ""
        case Template():
            return f"`{value}`" if str(value) else ""
        case tuple() | list():
            return f"`[{', '.join(map(str, value))}]`" if value else ""
        case str():
            return f"`{value.strip()}`" if value else ""
        case int() | float() | Path():
            return f"`{value}`"
    return ""
