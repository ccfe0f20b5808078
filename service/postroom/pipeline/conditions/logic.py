"""How answers are joined: all, any, not, in three values. Unknown is None, and stays so under `not`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from postroom.pipeline.condition import Answer, Condition, Guard, Why
from postroom.pipeline.view import View


@dataclass(frozen=True, slots=True)
class _Joined:
    """Conditions that are asked together."""

    parts: tuple[Condition, ...]

    def facts(self) -> Iterator[str]:
        return (fact for part in self.parts for fact in part.facts())

    def groups(self) -> Iterator[str]:
        return (group for part in self.parts for group in part.groups())


class All(_Joined):
    """Holds when every part does; False beats unknown."""

    __slots__ = ()

    def ask(self, view: View) -> Answer:
        held: bool | None = True
        match: dict[str, str] = {}
        for part in self.parts:
            answer = part.ask(view)
            if answer.held is False:
                return Answer(False, lambda: self._why(view, False))
            held = held and answer.held
            match.update(answer.match)
        return Answer(held, lambda: self._why(view, held), match if held else {})

    def _why(self, view: View, held: bool | None) -> Why:
        return Why("all", held, parts=_whys(self.parts, view))

    def labels(self) -> tuple[str, ...]:
        return tuple(label for part in self.parts for label in part.labels())

    def guard(self) -> Guard | None:
        guards = [guard for part in self.parts if (guard := part.guard())]
        return min(guards, key=lambda guard: len(guard.globs), default=None)


class Any(_Joined):
    """Holds when one part does; True beats unknown."""

    __slots__ = ()

    def ask(self, view: View) -> Answer:
        held: bool | None = False
        for part in self.parts:
            answer = part.ask(view)
            if answer.held:
                return Answer(True, lambda: self._why(view, True), answer.match)
            held = None if answer.held is None else held
        return Answer(held, lambda: self._why(view, held))

    def _why(self, view: View, held: bool | None) -> Why:
        return Why("any", held, parts=_whys(self.parts, view))

    def labels(self) -> tuple[str, ...]:
        return (f"any: [{'; '.join(label for part in self.parts for label in part.labels())}]",)

    def guard(self) -> Guard | None:
        guards = [part.guard() for part in self.parts]
        known = [guard for guard in guards if guard is not None]
        if len(known) != len(guards) or len({guard.field for guard in known}) != 1:
            return None
        return Guard(known[0].field, tuple(glob for guard in known for glob in guard.globs))


@dataclass(frozen=True, slots=True)
class Not:
    """Negates the finished answer: `not: {to: x}` is "no recipient is x". It gives no named groups."""

    part: Condition

    def ask(self, view: View) -> Answer:
        inner = self.part.ask(view).held
        held = None if inner is None else not inner
        return Answer(held, lambda: Why("not", held, parts=_whys((self.part,), view)))

    def facts(self) -> Iterator[str]:
        return self.part.facts()

    def groups(self) -> Iterator[str]:
        return iter(())

    def labels(self) -> tuple[str, ...]:
        return (f"not: {{{', '.join(self.part.labels())}}}",)

    def guard(self) -> Guard | None:
        return None


def _whys(parts: Sequence[Condition], view: View) -> tuple[Why, ...]:
    return tuple(part.ask(view).why() for part in parts)
