"""YAML 1.2 read as plain data together with the place of every key and value.

What could surprise an operator is refused: duplicate keys, anchors, aliases, tags, several documents, keys
that are not text. So a file can neither grow while it is read nor mean something else than it says.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from postroom.errors import Located, Misconfigured, Problem
from postroom.settings.quoting import UNCLOSED, remedy

if TYPE_CHECKING:
    from yaml.error import MarkedYAMLError
    from yaml.events import Event, ScalarEvent

Trail = tuple[str | int, ...]
Place = tuple[int, int]  # line and column, from 1

SIZE_LIMIT: Final = 4_000_000
DEPTH_LIMIT: Final = 60
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_SIGN = "`{sign}` makes {what} in YAML, which is not used here; quote text that begins with `{sign}`"
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,100}|0o[0-7]{1,100}|0x[0-9a-fA-F]{1,100}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


@dataclass(frozen=True, slots=True)
class Source:
    """Where the keys and values of one file stand; `replaced` are values that came from the environment."""

    file: str
    values: Mapping[Trail, Place] = field(default_factory=dict, repr=False)
    keys: Mapping[Trail, Place] = field(default_factory=dict, repr=False)
    replaced: frozenset[Trail] = frozenset()

    def locate(self, problem: Problem) -> Located:
        """The problem with line and column of the nearest thing on its path that is written in the file."""
        places = self.keys if problem.key and problem.path in self.keys else self.values
        path = problem.path
        while path and path not in places:
            path = path[:-1]
            places = self.keys if path in self.keys else self.values
        line, column = places.get(path, (1, 1))
        return Located(self.file, line, column, problem)


@dataclass(frozen=True, slots=True)
class Document:
    """One file's data and what is wrong with its writing."""

    source: Source
    data: object = field(repr=False)  # None, bool, int, float, str, list, dict with text keys
    problems: tuple[Located, ...] = ()


def read_octets(path: Path, file: str) -> bytes:
    """The file's bytes, one more than the limit at most. Raises Misconfigured."""
    try:
        with path.open("rb") as stream:
            return stream.read(SIZE_LIMIT + 1)
    except OSError as error:
        raise refusal(file, f"the file cannot be read: {error.strerror or 'input/output error'}") from None


def shown(path: Path) -> str:
    """The path as problems name it: short where it lies below the working directory."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def parse_document(raw: bytes, file: str) -> Document:
    """Data and places of one YAML document. Raises Misconfigured for what is no YAML at all."""
    if len(raw) > SIZE_LIMIT:
        raise refusal(file, f"the file is larger than {SIZE_LIMIT // 1_000_000} MB")
    text = _decoded(raw, file)
    import yaml

    builder = _Builder(text, file)
    try:
        data = builder.document()
    except yaml.MarkedYAMLError as error:
        raise refusal(file, *_told(error, text)) from None
    except yaml.YAMLError:
        raise refusal(file, "the file is not YAML") from None
    source = Source(file, builder.values, builder.keys)
    return Document(source, data, tuple(builder.problems))


def refusal(file: str, text: str, place: Place = (1, 1)) -> Misconfigured:
    """An error about a file as a whole."""
    return Misconfigured([Located(file, *place, Problem((), text))])


def _told(error: "MarkedYAMLError", text: str) -> tuple[str, Place]:
    """A sentence and its place. The parser's own words are only looked up: they could quote the file."""
    marks = [(m.line, m.column) for m in (error.problem_mark, error.context_mark) if m]
    place = marks[0] if marks else (0, 0)
    told = remedy(error.problem or "", text, place, marks[-1] if marks else None)
    line, column = marks[-1] if told == UNCLOSED and marks else place
    return told, (line + 1, column + 1)


def _decoded(raw: bytes, file: str) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        raise refusal(file, "the file is not UTF-8 here; save it as UTF-8", (line, column)) from None
    text = text.removeprefix("\ufeff")
    if found := _CONTROL.search(text):
        line = text.count("\n", 0, found.start()) + 1
        column = found.start() - text.rfind("\n", 0, found.start())
        what = f"the control character U+{ord(found[0]):04X} does not belong into a text file"
        raise refusal(file, what, (line, column))
    return text


def _parser(text: str) -> Any:
    """libyaml's parser where PyYAML was built with it, else PyYAML's own: the same events, slower."""
    try:
        from yaml._yaml import CParser

        return CParser(text)
    except ImportError:
        from yaml import SafeLoader

        return SafeLoader(text)


class _Builder:
    """Turns parser events into data and writes down where everything stands."""

    def __init__(self, text: str, file: str) -> None:
        self._parser = _parser(text)
        self._file = file
        self.values: dict[Trail, Place] = {}
        self.keys: dict[Trail, Place] = {}
        self.problems: list[Located] = []

    def document(self) -> object:
        from yaml.events import DocumentStartEvent, StreamEndEvent

        data: object = None
        documents = 0
        while not isinstance(event := self._parser.get_event(), StreamEndEvent):
            if not isinstance(event, DocumentStartEvent):
                continue
            documents += 1
            found = self._node(self._parser.get_event(), () if documents == 1 else ("---",))
            data = found if documents == 1 else data
            if documents == 2:
                self._refuse((), "a second document begins here; a file holds one", _place(event))
        return data

    def _node(self, event: "Event", trail: Trail) -> object:
        from yaml.events import AliasEvent, MappingStartEvent, ScalarEvent

        self.values[trail] = _place(event)
        if isinstance(event, AliasEvent):
            self._refuse(trail, _SIGN.format(sign="*", what="an alias"), _place(event))
            return None
        if len(trail) > DEPTH_LIMIT:
            raise refusal_at(event, "the nesting is too deep")
        self._plain(event, trail)
        if isinstance(event, ScalarEvent):
            return self._scalar(event, trail)
        return self._mapping(trail) if isinstance(event, MappingStartEvent) else self._sequence(trail)

    def _plain(self, event: Any, trail: Trail) -> None:
        if event.anchor is not None:
            self._refuse(trail, _SIGN.format(sign="&", what="an anchor"), _place(event))
        if event.tag is not None:
            self._refuse(trail, _SIGN.format(sign="!", what="a tag"), _place(event))

    def _sequence(self, trail: Trail) -> list[object]:
        from yaml.events import SequenceEndEvent

        items: list[object] = []
        while not isinstance(event := self._parser.get_event(), SequenceEndEvent):
            items.append(self._node(event, (*trail, len(items))))
        return items

    def _mapping(self, trail: Trail) -> dict[str, object]:
        from yaml.events import MappingEndEvent

        entries: dict[str, object] = {}
        while not isinstance(event := self._parser.get_event(), MappingEndEvent):
            key = self._key(event, trail)
            if key is None:
                self._node(self._parser.get_event(), (*trail, "?"))
            elif key in entries:
                self._twice(key, event, trail)
            else:
                self.keys[*trail, key] = _place(event)
                entries[key] = self._node(self._parser.get_event(), (*trail, key))
        return entries

    def _key(self, event: "Event", trail: Trail) -> str | None:
        from yaml.events import ScalarEvent

        if isinstance(event, ScalarEvent) and event.anchor is None and event.tag is None:
            key = resolved(event.value) if event.implicit[0] else event.value
            if isinstance(key, str) and key.isprintable():
                return key
            told = (
                "a key is one line of characters that print"
                if isinstance(key, str)
                else "a key must be text: put it in quotes"
            )
        else:
            self._node(event, (*trail, "?"))
            told = "a key must be plain text; text that begins with `{{`, `[`, `*`, `&` or `!` must be quoted"
        self._refuse(trail, told, _place(event))
        return None

    def _twice(self, key: str, event: "Event", trail: Trail) -> None:
        line, _ = self.keys[*trail, key]
        self._refuse((*trail, key), f"the key `{key}` stands here twice, first in line {line}", _place(event))
        self._node(self._parser.get_event(), (*trail, f"{key} (again)"))

    def _scalar(self, event: "ScalarEvent", trail: Trail) -> object:
        value = resolved(event.value) if event.implicit[0] else event.value
        if isinstance(value, float) and not math.isfinite(value):
            self._refuse(trail, "this number is not finite", _place(event))
            return None
        if isinstance(value, str) and _CONTROL.search(value):
            self._refuse(trail, "this text holds a control character", _place(event))
        return value

    def _refuse(self, trail: Trail, text: str, place: Place) -> None:
        self.problems.append(Located(self._file, *place, Problem(trail, text)))


def refusal_at(event: "Event", text: str) -> Exception:
    """A YAML error of our own, handled like the parser's."""
    import yaml

    error = yaml.MarkedYAMLError(problem=text)
    error.problem_mark = event.start_mark  # type: ignore[assignment]  # libyaml's marks have the same fields
    return error


def resolved(text: str) -> bool | int | float | str | None:
    """What an unquoted scalar is in YAML 1.2's core schema (10.3.2): `no`, `12:30`, `2026-01-01` are text."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if text[0] not in "-+.0123456789":
        return text
    if _INT.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NOT_FINITE.fullmatch(text):
        return math.inf
    return text


def _place(event: "Event") -> Place:
    mark = event.start_mark
    assert mark is not None, "events of a parser have their marks"
    return mark.line + 1, mark.column + 1
