"""One question to one field: any of its values, all of them, or whether there is one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from postroom.pipeline.condition import Answer, Guard, Why
from postroom.pipeline.conditions.patterns import NONE, Found, Test
from postroom.pipeline.view import View

V = TypeVar("V")
_SHOWN = 10  # values in an explanation
_LONGEST = 120  # characters of each


@dataclass(frozen=True, slots=True, kw_only=True)
class Asks(Generic[V]):
    """`values` gives what the field holds, None where it is unknown.

    `some` has to hold of one value as a whole, `every` of each and of one at least; `exists` says whether there is
    to be any. Of these, those that are given all hold.
    """

    field: str
    label: str
    values: Callable[[View], Sequence[V] | None]
    show: Callable[[V], str]
    some: Test[V] | None = None
    every: Test[V] | None = None
    exists: bool | None = None
    fact: str | None = None

    def ask(self, view: View) -> Answer:
        values = self.values(view)
        found = None if values is None else self._found(values, view)
        held = None if values is None else found is not None
        return Answer(held, lambda: Why(self.label, held, self._compared(values)), found or NONE)

    def _found(self, values: Sequence[V], view: View) -> Found | None:
        if self.exists is not None and self.exists is not bool(values):
            return None
        together: dict[str, str] = {}
        if self.every is not None:
            for value in values:
                if (found := self.every.match(value, view)) is None:
                    return None
                together.update(found)
            if not values:
                return None
        if self.some is None:
            return together
        for value in values:
            if (found := self.some.match(value, view)) is not None:
                return {**together, **found} if together or found else NONE
        return None

    def _compared(self, values: Sequence[V] | None) -> str:
        if values is None:
            return "unknown: no step has said"
        shown = [self.show(value) for value in values[:_SHOWN]]
        shown = [text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…" for text in shown]
        more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
        return (", ".join(repr(text) for text in shown) or "nothing") + more

    def facts(self) -> Iterator[str]:
        return iter(() if self.fact is None else (self.fact,))

    def groups(self) -> Iterator[str]:
        return (group for test in (self.some, self.every) if test is not None for group in test.groups())

    def labels(self) -> tuple[str, ...]:
        return (self.label,)

    def guard(self) -> Guard | None:
        globs = self.some.globs() if self.some is not None and self.fact is None else None
        return None if globs is None else Guard(self.field, globs)
