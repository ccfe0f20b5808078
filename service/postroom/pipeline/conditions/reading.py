"""What stands behind a field of `when`, read into tests: patterns, operators, comparisons."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from postroom.errors import Problem
from postroom.pipeline.comparisons import parse_instants, parse_numbers, parse_sizes
from postroom.pipeline.conditions.patterns import (
    Both,
    Either,
    FileTest,
    InstantTest,
    NumberTest,
    RegexTest,
    Test,
    glob_test,
)
from postroom.pipeline.globs import Glob, literal
from postroom.pipeline.listfile import ListFile
from postroom.pipeline.regexes import Regex
from postroom.pipeline.text import Text
from postroom.suggestions import suggestion

V = TypeVar("V")
Trail = tuple[str | int, ...]
OPERATORS = ("is", "contains", "starts-with", "ends-with", "matches", "regex", "in-file", "exists", "every")
# In a glob these would be themselves, so that it never matched: a habit of procmail's.
_REGEX = re.compile(r"^\^|^\.\*.|\(\?|(?<!\\)\\[dsw]|\.\*\$$")
NOTHING = "a value is missing here: YAML takes `~`, `null` and an empty value for nothing; quote what is meant as text"
NEVER = "where nothing exists nothing else can be asked: leave out `exists`, or all that stands beside it"
_GLOBS: dict[str, Callable[[str], str]] = {
    "is": literal,
    "contains": lambda text: f"*{literal(text)}*",
    "starts-with": lambda text: f"{literal(text)}*",
    "ends-with": lambda text: f"*{literal(text)}",
    "matches": lambda text: text,
}


@dataclass(frozen=True)
class Question(Generic[V]):
    """What is asked of a field's values: of some one as a whole, of every one, and whether there is any."""

    some: Test[V] | None = None
    every: Test[V] | None = None
    exists: bool | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads values; what is wrong is added to `problems` and gives None. `directory`: where in-file looks."""

    problems: list[Problem]
    directory: Path

    def wrong(self, trail: Trail, text: str, *, key: bool = False) -> None:
        self.problems.append(Problem(trail, text, key))

    def unknown(self, trail: Trail, kind: str, word: str, known: Sequence[str]) -> None:
        self.wrong(trail, f"unknown {kind} `{word}`{suggestion(word, known, most=len(known))}", key=True)

    def text(self, data: object, trail: Trail) -> Question[Text] | None:
        """A pattern, a list of which one has to match, or operators that all hold of one value."""
        if not isinstance(data, dict):
            some = self.patterns(data, trail, self.pattern)
            return None if some is None else Question(some=some)
        if not data:
            self.wrong(trail, "an operator is missing here: `contains`, `regex`, `exists` …")
            return None
        return self.operators(data, trail)

    def operators(self, data: dict[object, object], trail: Trail) -> Question[Text] | None:
        tests: list[Test[Text]] = []
        every: Test[Text] | None = None
        exists: bool | None = None
        before = len(self.problems)
        for word, value in data.items():
            place = (*trail, str(word))
            if word == "exists":
                exists = self.truth(value, place)
            elif word == "every":
                every = self.patterns(value, place, self.pattern)
            elif word in OPERATORS:
                reading = {"regex": self.regex, "in-file": self.file}.get(str(word)) or self._glob(str(word))
                if (test := self.patterns(value, place, reading)) is not None:
                    tests.append(test)
            elif word == "not":
                self.wrong(
                    place, f"unknown operator `not`; it stands round the field: `not: {{{trail[-1]}: …}}`", key=True
                )
            else:
                self.unknown(place, "operator", str(word), OPERATORS)
        if exists is False and len(data) > 1:
            self.wrong((*trail, "exists"), NEVER)
        if len(self.problems) > before:
            return None
        some = tests[0] if len(tests) == 1 else Both(tuple(tests)) if tests else None
        return Question(some=some, every=every, exists=exists)

    def patterns(
        self, data: object, trail: Trail, read: Callable[[object, Trail], Test[V] | Glob | None]
    ) -> Test[V] | None:
        """One pattern, or several of which one has to match."""
        if data is None:
            self.wrong(trail, NOTHING)
            return None
        if data == []:
            self.wrong(trail, "the list is empty, so that nothing could ever match")
            return None
        items = data if isinstance(data, list) else [data]
        places = [(*trail, number) for number in range(len(items))] if isinstance(data, list) else [trail]
        found = [read(item, place) for item, place in zip(items, places, strict=True)]
        if any(one is None for one in found):
            return None
        globs = [one for one in found if isinstance(one, Glob)]
        tests = [cast("Test[V]", one) for one in found if not isinstance(one, Glob)]
        if globs:
            tests.insert(0, cast("Test[V]", glob_test(globs)))
        return tests[0] if len(tests) == 1 else Either(tuple(tests))

    def pattern(self, data: object, trail: Trail) -> Test[Text] | Glob | None:
        """A glob, or a search between slashes."""
        if isinstance(data, str) and len(data) > 1 and data[0] == data[-1] == "/":
            return self.regex(data[1:-1], trail)
        if isinstance(data, str) and _REGEX.search(data):
            self.wrong(
                trail, "this looks like a regular expression: put it between slashes, `/…/`; or say `contains`, `is`"
            )
            return None
        return self._glob("matches")(data, trail)

    def regex(self, data: object, trail: Trail) -> RegexTest | None:
        if not self._is_text(data, trail):
            return None
        return self.tried(trail, lambda: RegexTest(Regex(str(data))))

    def file(self, data: object, trail: Trail) -> FileTest | None:
        if not self._is_text(data, trail):
            return None
        return self.tried(trail, lambda: FileTest(ListFile(self.directory / str(data))))

    def truth(self, data: object, trail: Trail) -> bool | None:
        if not isinstance(data, bool):
            self.wrong(trail, "`true` or `false` is expected here")
            return None
        return data

    def tried(self, trail: Trail, make: Callable[[], V]) -> V | None:
        try:
            return make()
        except ValueError as error:
            self.wrong(trail, str(error))
            return None

    def numbers(self, data: object, trail: Trail) -> Test[float] | None:
        return self.tried(trail, lambda: NumberTest(parse_numbers(data)))

    def sizes(self, data: object, trail: Trail) -> Test[float] | None:
        return self.tried(trail, lambda: NumberTest(parse_sizes(data)))

    def instants(self, data: object, trail: Trail) -> Test[Any] | None:
        return self.tried(trail, lambda: InstantTest(parse_instants(data)))

    def _glob(self, operator: str) -> Callable[[object, Trail], Glob | None]:
        def read(data: object, trail: Trail) -> Glob | None:
            if not self._is_text(data, trail):
                return None
            return self.tried(trail, lambda: Glob(_GLOBS[operator](str(data))))

        return read

    def _is_text(self, data: object, trail: Trail) -> bool:
        if isinstance(data, str):
            return True
        self.wrong(trail, _quoting(data))
        return False


def _quoting(data: object) -> str:
    """What YAML made of something that was to be text, and the remedy."""
    match data:
        case None:
            return NOTHING
        case dict():
            return "a pattern is text: one that begins with `{` has to stand in quotes"
        case list():
            return "a pattern is text: one that begins with `[` has to stand in quotes"
    return "a pattern is text: quote it"
