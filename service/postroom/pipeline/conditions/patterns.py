"""Tests of one value: a glob, a search, a comparison, or several of them together.

Each gives the named groups that it found, or None where it does not hold.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

from postroom.pipeline.comparisons import Comparison, Hours, Instants, local
from postroom.pipeline.globs import Glob, GlobSet
from postroom.pipeline.listfile import ListFile
from postroom.pipeline.regexes import Regex
from postroom.pipeline.text import Text
from postroom.pipeline.view import View

V = TypeVar("V")
V_contra = TypeVar("V_contra", contravariant=True)
W = TypeVar("W")

Found = Mapping[str, str]
NONE: Final[Found] = {}
_MANY: Final = 8  # globs from which on an index pays


class Test(Protocol[V_contra]):
    """One question about one value."""

    def match(self, value: V_contra, view: View) -> Found | None: ...

    def groups(self) -> Iterator[str]: ...

    def globs(self) -> tuple[Glob, ...] | None:
        """The globs of which one has to match, where that is all there is to it."""
        ...


class _Plain:
    def groups(self) -> Iterator[str]:
        return iter(())

    def globs(self) -> tuple[Glob, ...] | None:
        return None


@dataclass(frozen=True, slots=True)
class GlobTest(_Plain):
    """One of several globs on the whole value."""

    patterns: tuple[Glob, ...]
    index: GlobSet | None = None

    def match(self, value: Text, view: View) -> Found | None:
        text = value.folded
        if self.index is not None:
            return None if self.index.first(text) is None else NONE
        return NONE if any(glob.match(text) for glob in self.patterns) else None

    def globs(self) -> tuple[Glob, ...] | None:
        return self.patterns


def glob_test(patterns: Sequence[Glob]) -> GlobTest:
    return GlobTest(tuple(patterns), GlobSet(patterns) if len(patterns) >= _MANY else None)


@dataclass(frozen=True, slots=True)
class RegexTest:
    regex: Regex

    def match(self, value: Text, view: View) -> Found | None:
        return self.regex.search(value)

    def groups(self) -> Iterator[str]:
        return iter(self.regex.groups)

    def globs(self) -> tuple[Glob, ...] | None:
        return None


@dataclass(frozen=True, slots=True)
class FileTest(_Plain):
    file: ListFile

    def match(self, value: Text, view: View) -> Found | None:
        return NONE if self.file.match(value) else None


@dataclass(frozen=True, slots=True)
class Either(Generic[V]):
    """One of several tests."""

    tests: tuple[Test[V], ...]

    def match(self, value: V, view: View) -> Found | None:
        for test in self.tests:
            if (found := test.match(value, view)) is not None:
                return found
        return None

    def groups(self) -> Iterator[str]:
        return (group for test in self.tests for group in test.groups())

    def globs(self) -> tuple[Glob, ...] | None:
        return None


@dataclass(frozen=True, slots=True)
class Both(Generic[V]):
    """All of several tests, on the same value."""

    tests: tuple[Test[V], ...]

    def match(self, value: V, view: View) -> Found | None:
        together: dict[str, str] = {}
        for test in self.tests:
            found = test.match(value, view)
            if found is None:
                return None
            together.update(found)
        return together

    def groups(self) -> Iterator[str]:
        return (group for test in self.tests for group in test.groups())

    def globs(self) -> tuple[Glob, ...] | None:
        return next((globs for test in self.tests if (globs := test.globs()) is not None), None)


@dataclass(frozen=True, slots=True)
class Of(Generic[V, W]):
    """A test of something about the value; where that has several forms (a domain in two scripts), of any of them."""

    forms: Callable[[V], Sequence[W]]
    test: Test[W]
    whole: bool = field(default=False)  # its globs are those of the field itself

    def match(self, value: V, view: View) -> Found | None:
        for form in self.forms(value):
            if (found := self.test.match(form, view)) is not None:
                return found
        return None

    def groups(self) -> Iterator[str]:
        return self.test.groups()

    def globs(self) -> tuple[Glob, ...] | None:
        return self.test.globs() if self.whole else None


@dataclass(frozen=True, slots=True)
class HasTest(_Plain, Generic[V]):
    """Whether the value has something."""

    forms: Callable[[V], Sequence[object]]
    wanted: bool

    def match(self, value: V, view: View) -> Found | None:
        return NONE if bool(self.forms(value)) is self.wanted else None


@dataclass(frozen=True, slots=True)
class NumberTest(_Plain):
    comparison: Comparison

    def match(self, value: float, view: View) -> Found | None:
        return NONE if self.comparison.holds(value) else None


@dataclass(frozen=True, slots=True)
class InstantTest(_Plain):
    instants: Instants

    def match(self, value: datetime, view: View) -> Found | None:
        return NONE if self.instants.holds(value, view.timezone) else None


@dataclass(frozen=True, slots=True)
class HoursTest(_Plain):
    hours: Hours

    def match(self, value: datetime, view: View) -> Found | None:
        return NONE if self.hours.holds(local(value, view.timezone).time()) else None


@dataclass(frozen=True, slots=True)
class WeekdayTest(_Plain):
    day: int

    def match(self, value: datetime, view: View) -> Found | None:
        return NONE if local(value, view.timezone).weekday() == self.day else None


@dataclass(frozen=True, slots=True)
class BoolTest(_Plain):
    wanted: bool

    def match(self, value: bool, view: View) -> Found | None:
        return NONE if value is self.wanted else None
