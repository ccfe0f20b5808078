"""pydantic's errors as problems that an operator understands, without any value from the file.

Names of keys are shown, values never: a misspelt key may stand beside a password.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from postroom.errors import Problem
from postroom.settings.document import Trail
from postroom.suggestions import suggestion

TEXT: Final = "must be text; put it in quotes"
WHOLE: Final = "must be a whole number"
NUMBER: Final = "must be a number"
BOOL: Final = "must be true or false (`yes`, `no`, `on` and `off` are text in YAML 1.2)"
MAPPING: Final = "must be a mapping: `key: value` lines"
LIST: Final = "must be a list"
EMPTY: Final = "has no value"

# Errors that only say "not this kind of value": of a union's branches they tell the least.
_KINDS: Final = {
    "string_type": TEXT, "path_type": TEXT, "int_type": WHOLE, "int_parsing": WHOLE, "int_from_float": WHOLE,
    "float_type": NUMBER, "float_parsing": NUMBER, "bool_type": BOOL, "bool_parsing": BOOL,
    "model_type": MAPPING, "model_attributes_type": MAPPING, "dict_type": MAPPING, "mapping_type": MAPPING,
    "list_type": LIST, "tuple_type": LIST, "set_type": LIST, "frozen_set_type": LIST,
    "none_required": "must be empty",
}  # fmt: skip
_BOUNDS: Final = {
    "greater_than": "must be more than {gt}", "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}", "less_than_equal": "must be at most {le}",
    "too_long": "must have at most {max_length} entries",
    "string_too_long": "must have at most {max_length} characters",
    "literal_error": "must be {expected}", "enum": "must be {expected}",
    "string_pattern_mismatch": "must have the form `{pattern}`",
    "missing": "is missing here", "finite_number": "must be finite",
}  # fmt: skip
Error = Mapping[str, Any]
_ABSENT: Final = object()


def problems(error: ValidationError, data: object, model: type[BaseModel], *, noun: str = "key") -> list[Problem]:
    """Problems with paths from the root of `data`; `noun` is what an entry of the model is called."""
    found = error.errors(include_input=False, include_url=False)
    told = list(dict.fromkeys(_sentences(found, data, _unknown(model, noun))))
    return told or [Problem((), "is not valid")]


def names(model: type[BaseModel]) -> list[str]:
    """The keys of a model as operators write them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _unknown(model: type[BaseModel], noun: str) -> Callable[[Trail], str]:
    def told(path: Trail) -> str:
        key = str(path[-1])
        known = [name for found in _models(model, path[:-1]) for name in names(found)]
        return f"unknown {noun} `{key}`{suggestion(key, known)}"

    return told


def _models(annotation: Any, path: Trail) -> Iterator[type[BaseModel]]:
    """The models that an annotation allows at `path`."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        for branch in get_args(annotation):
            yield from _models(branch, path)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not path:
            yield annotation
        for name, field in annotation.model_fields.items():
            if path and path[0] == (field.alias or name):
                yield from _models(field.annotation, path[1:])
    elif get_origin(annotation) is not Literal and path:
        for inner in get_args(annotation)[-1:] if isinstance(path[0], str) else get_args(annotation)[:1]:
            yield from _models(inner, path[1:])


def _sentences(errors: Sequence[Error], data: object, unknown: Callable[[Trail], str]) -> Iterator[Problem]:
    placed = [(error, *_path(error, data)) for error in errors]
    for error, path, union in placed:
        if error["type"] == "too_short" and _entries(_value(data, path)) >= error["ctx"]["min_length"]:
            continue  # its entries are there and wrong themselves
        if union is None or error["type"] not in _KINDS or path != union:
            yield _problem(error, path, data, unknown)
    for union in dict.fromkeys(found for _, _, found in placed if found is not None):
        inside = [(error, path) for error, path, found in placed if found == union]
        if all(error["type"] in _KINDS and path == union for error, path in inside):
            yield Problem(union, _either(_KINDS[error["type"]] for error, _ in inside))


def _path(error: Error, data: object) -> tuple[Trail, Trail | None]:
    """The path in the file, and where on it pydantic first named a branch of a union or a key as such."""
    path: list[str | int] = []
    union: Trail | None = None
    cursor = data
    loc: Sequence[str | int] = error["loc"]
    for place, part in enumerate(loc):
        if (inner := _inside(cursor, part)) is not _ABSENT:
            cursor = inner
        elif error["type"] == "missing" and place == len(loc) - 1:
            cursor = None
        else:
            union = union if union is not None else tuple(path)
            continue
        path.append(part)
    return tuple(path), union


def _problem(error: Error, path: Trail, data: object, unknown: Callable[[Trail], str]) -> Problem:
    kind, context = error["type"], error.get("ctx", {})
    key = error["loc"][-1:] == ("[key]",)
    if kind == "extra_forbidden":
        return Problem(path, unknown(path), key=True)
    if kind in _KINDS:
        return Problem(path, EMPTY if _value(data, path) is None else _KINDS[kind], key)
    if kind in ("value_error", "assertion_error"):
        return Problem(path, str(context.get("error", "")) or "is not valid", key)
    if kind in ("too_short", "string_too_short"):
        least = context.get("min_length", 1)
        return Problem(path, "must not be empty" if least == 1 else f"must have at least {least} entries", key)
    if kind in _BOUNDS:
        return Problem(path, _BOUNDS[kind].format(**context).replace("'", "`"), key)
    return Problem(path, "is not valid here" if "input" in context else _plain(error["msg"]), key)


def _plain(text: str) -> str:
    return text.replace("Input should be", "must be").replace("Value should", "must").replace("'", "`")


def _value(data: object, path: Trail) -> object:
    for part in path:
        data = _inside(data, part)
    return None if data is _ABSENT else data


def _inside(value: object, part: str | int) -> object:
    if isinstance(value, dict):
        return value.get(part, _ABSENT)
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]
    return _ABSENT


def _entries(value: object) -> int:
    return len(value) if isinstance(value, (list, dict)) else int(value is not None)  # text alone is a list of one


def _either(texts: Iterable[str]) -> str:
    first, *others = dict.fromkeys(texts)
    return " or ".join([first, *(text.removeprefix("must be ") for text in others)])
