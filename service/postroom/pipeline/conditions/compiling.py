"""What an operator wrote under `when`, checked and compiled to conditions; every mistake is told at once."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from postroom.errors import Problem
from postroom.pipeline.condition import Condition
from postroom.pipeline.conditions import addresses, attachments, fields, findings, moments
from postroom.pipeline.conditions.logic import All, Any, Not
from postroom.pipeline.conditions.patterns import BoolTest
from postroom.pipeline.conditions.questions import asks, plain, text, yes_no
from postroom.pipeline.conditions.reading import NOTHING, Question, Reader, Trail
from postroom.pipeline.view import View

# Fields that are read in ways of their own.
_SPECIAL: Final[dict[str, Callable[[Reader, object, Trail], Condition | None]]] = {
    "date": moments.date,
    "received": moments.received,
    "time": moments.time,
    "weekday": moments.weekday,
    "attachment": attachments.attachment,
    "attachments": attachments.attachments,
    "size": attachments.size,
    "age": moments.age,
    "spam": findings.spam,
    "virus": findings.virus,
    "auth": findings.auth,
    "script": findings.script,
}
FIELDS: Final = (*fields.ADDRESSES, *fields.TEXTS, *fields.BOOLS, *_SPECIAL)
JOINS: Final = ("all", "any", "not")
DEEPEST: Final = 100  # keys and list places that lead to a condition
_HEADER: Final = re.compile(r"header\.([!-9;-~]{1,76})", re.IGNORECASE)  # RFC 5322 §3.6.8
_FIELD_NAME: Final = re.compile(r"[A-Z][a-z]*(-[A-Za-z]+)+")  # of a header field, by its looks
_SYSTEM_FLAG: Final = re.compile(r"\\[A-Za-z*?]")
WORDS: Final = (*FIELDS, *JOINS, "header.<Name>")


def compile_condition(data: object, path: Trail, problems: list[Problem], *, directory: Path) -> Condition | None:
    """The condition that `data` (plain YAML) says, or None with what is wrong added to `problems`.

    `directory`: where files that `in-file` names lie.
    """
    return _when(Reader(problems, directory), data, path)


def _when(reader: Reader, data: object, trail: Trail) -> Condition | None:
    """A mapping of fields, all of which hold."""
    if not isinstance(data, dict):
        reader.wrong(trail, 'a condition is a mapping of fields: `subject: "*invoice*"`')
        return None
    if len(trail) > DEEPEST:
        reader.wrong(trail, "conditions stand too deep within each other")
        return None
    if not data:
        reader.wrong(trail, "an empty condition; leave `when` out where a rule is for every message")
        return None
    parts = [_entry(reader, str(name), value, (*trail, str(name))) for name, value in data.items()]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return known[0] if len(known) == 1 else All(tuple(known))


def _entry(reader: Reader, name: str, data: object, trail: Trail) -> Condition | None:
    if name == "not":
        part = _when(reader, data, trail)
        return None if part is None else Not(part)
    if name in ("all", "any"):
        return _joined(reader, name, data, trail)
    return _field(reader, name, data, trail)


def _joined(reader: Reader, name: str, data: object, trail: Trail) -> Condition | None:
    if not isinstance(data, list) or not data:
        reader.wrong(trail, f"`{name}` takes a list of conditions")
        return None
    parts = [_when(reader, each, (*trail, number)) for number, each in enumerate(data)]
    known = tuple(part for part in parts if part is not None)
    if len(known) < len(parts):
        return None
    return All(known) if name == "all" else Any(known)


def _field(reader: Reader, name: str, data: object, trail: Trail) -> Condition | None:
    """One field; `name` is what the operator wrote."""
    if data is None:
        reader.wrong(trail, NOTHING)
        return None
    if header := _HEADER.fullmatch(name):
        return text(reader, name, data, trail, fields.header(header[1]))
    if name in fields.ADDRESSES:
        return addresses.address(reader, name, data, trail)
    if name == "flags":
        return _flags(reader, data, trail)
    if name in fields.TEXTS:
        return text(reader, name, data, trail, fields.TEXTS[name], fact="tag" if name == "tag" else None)
    if name in fields.BOOLS:
        return _truth(reader, name, data, trail)
    if name in _SPECIAL:
        return _SPECIAL[name](reader, data, trail)
    if name.lower() in ("header", "headers") or _FIELD_NAME.fullmatch(name):
        inner = next(iter(data), "X-Name") if isinstance(data, dict) else "X-Name"
        asked = name if _FIELD_NAME.fullmatch(name) else inner
        reader.wrong(trail, f"unknown field `{name}`; a field of the header is `header.{asked}`", key=True)
    else:
        reader.unknown(trail, "field", name, WORDS)
    return None


def _flags(reader: Reader, data: object, trail: Trail) -> Condition | None:
    """Globs in which the backslash of a system flag is itself, so that flags are written as `flag` takes them."""
    question = reader.text(_with_backslashes(data), trail)
    return None if question is None else asks("flags", data, fields.TEXTS["flags"], plain, question)


def _truth(reader: Reader, name: str, data: object, trail: Trail) -> Condition | None:
    wanted = reader.truth(data, trail)
    if wanted is None:
        return None
    read = fields.BOOLS[name]

    def values(view: View) -> Sequence[bool] | None:
        value = read(view)
        return None if value is None else (value,)

    fact = "duplicate" if name == "duplicate" else None
    return asks(name, data, values, yes_no, Question(some=BoolTest(wanted)), fact=fact)


def _with_backslashes(data: object) -> object:
    match data:
        case str() if _SYSTEM_FLAG.match(data):
            return f"\\{data}"
        case list():
            return [_with_backslashes(one) for one in data]
        case dict():
            return {key: _with_backslashes(one) if key in ("matches", "every") else one for key, one in data.items()}
    return data
