"""Which of many rules can hold for a message: rules that hang on globs over one field are looked up, not asked.

Invisible in results: a rule is only passed over where one of its own patterns would have failed.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

from postroom.pipeline.condition import Condition
from postroom.pipeline.conditions.fields import INDEXED, forms
from postroom.pipeline.globs import Glob, GlobSet
from postroom.pipeline.view import View

FEW = 32  # rules below which asking each costs no more


class RuleIndex:
    """Over the conditions of a pipeline's rules, in order; None: the rule is for every message."""

    def __init__(self, name: str, conditions: Sequence[Condition | None]) -> None:
        self._count = len(conditions)
        self._memo = f"rules of {name}"
        self._always: list[int] = []
        globs: dict[str, list[tuple[Glob, int]]] = defaultdict(list)
        for number, condition in enumerate(conditions):
            guard = condition.guard() if condition is not None and self._count >= FEW else None
            if guard is None or not (guard.field in INDEXED or guard.field.lower().startswith("header.")):
                self._always.append(number)
                continue
            globs[guard.field].extend((glob, number) for glob in guard.globs)
        self._fields = [
            (field, GlobSet(glob for glob, _ in pairs), [number for _, number in pairs])
            for field, pairs in globs.items()
        ]

    def after(self, view: View, number: int) -> int | None:
        """The first rule from `number` on that can hold; None: there is no more."""
        if not self._fields:
            return number if number < self._count else None
        possible = view.memo.get(self._memo)
        if possible is None:
            possible = view.memo[self._memo] = self._possible(view)
        place = bisect_left(possible, number)
        return possible[place] if place < len(possible) else None

    def _possible(self, view: View) -> list[int]:
        found = set(self._always)
        for field, globs, numbers in self._fields:
            for value in forms(field, view):
                found.update(numbers[hit] for hit in globs.hits(value.folded))
        return sorted(found)
