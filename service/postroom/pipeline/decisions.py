"""What the steps of one plan have decided so far, and the order in which it is to be done."""

import json
from collections import Counter
from collections.abc import Iterator

from postroom.message import Edit
from postroom.pipeline.outcome import Copy, Effect, Flags, Place
from postroom.pipeline.plan import Line, Planned, Settlement
from postroom.pipeline.view import Home
from postroom.short import short_hash

PLACES = {"kept": "keep", "moved": "move", "gone": "discard"}
WORDS = {"mbox": "file"}  # effects that the operator calls by another word


def effect_key(message: str, effect: Effect, occurrence: int = 0) -> str:
    """26 characters of base32: equal when planned again, whichever rule it comes from."""
    canonical = effect.model_dump_json()
    if "{" in canonical[1:]:  # options of which the order says nothing (`env` of exec) may be written in another one
        canonical = json.dumps(json.loads(canonical), sort_keys=True)
    return short_hash(message, effect.word, canonical, str(occurrence))


def keep(effect: Effect, *, message: str, ordinal: int, edits: int) -> Planned:
    """The place of a message of which another effect failed for good. `message`: its key."""
    return Planned(key=effect_key(message, effect), ordinal=ordinal, edits=edits, rule="", place=True, effect=effect)


class Decisions:
    """Collects outcomes in the order of the steps. `flags`: those that the message came with."""

    def __init__(self, message: str, home: Home, flags: frozenset[str]) -> None:
        self.edits: list[Edit] = []
        self.lines: list[Line] = []
        self._message = message
        self._home = home
        self._came_with = flags
        self._add: frozenset[str] = frozenset()
        self._remove: frozenset[str] = frozenset()
        self._copies: list[str] = []
        self._effects: list[tuple[str, int, Effect]] = []
        self._place: Place | None = None

    def edit(self, rule: str, word: str, edit: Edit, target: str) -> None:
        self.edits.append(edit)
        self._line(rule, word, target)

    def act(self, rule: str, effect: Effect) -> None:
        self._effects.append((rule, len(self.edits), effect))
        if not effect.last:
            self._line(rule, WORDS.get(effect.word, effect.word), effect.target)

    def put(self, rule: str, place: Place) -> str | None:
        """Say where the message is to end up; answers what an earlier rule had said."""
        before, self._place = self._place, place
        self.lines = [line for line in self.lines if line.word not in PLACES.values()]
        self._line(rule, PLACES[place.place], place.folder)
        return PLACES[before.place] if before else None

    def copy(self, rule: str, copy: Copy) -> None:
        effect = self._home.deliver("copy", copy.folder, self._carried(), create=copy.create)
        if effect is not None:
            self.act(rule, effect)
            return
        self._copies.append(copy.folder)
        self._line(rule, "copy", copy.folder)

    def flag(self, rule: str, flags: Flags) -> list[str]:
        """Add and remove flags; answers those to be added that the home cannot hold."""
        for word, names in (("flag", flags.add), ("unflag", flags.remove)):
            for name in sorted(names):
                self._line(rule, word, name)
        self._add = (self._add | flags.add) - flags.remove
        self._remove = (self._remove | flags.remove) - flags.add
        return [name for name in sorted(flags.add) if not self._home.holds(name)]

    def settle(self) -> tuple[tuple[Planned, ...], Settlement]:
        """All effects in the order of their doing, and what becomes of the message itself."""
        place = self._place or self._implicit()
        if self._place is None and place.place == "kept":
            self.lines.append(Line(rule="", word="keep", implicit=True))
        settlement = Settlement(
            place=place.place,
            folder=place.folder,
            create=place.create,
            add=self._add,
            remove=self._remove,
            copies=tuple(self._copies),
        )
        return tuple(self._planned(self._placed(place))), settlement

    def _implicit(self) -> Place:
        """RFC 5228 2.10.2: kept, unless something else delivers it."""
        return Place("gone" if any(effect.delivers for _, _, effect in self._effects) else "kept")

    def _placed(self, place: Place) -> Effect | None:
        match place.place:
            case "kept":
                return self._home.deliver("keep", "", self._carried(), create=True)
            case "moved":
                return self._home.deliver("move", place.folder, self._carried(), create=place.create)
            case "gone":
                return None

    def _planned(self, placed: Effect | None) -> Iterator[Planned]:
        ordinary = [(*each, False) for each in self._effects if not each[2].last]
        last = [(*each, False) for each in self._effects if each[2].last]
        placing = [("", len(self.edits), placed, True)] if placed is not None else []
        seen: Counter[str] = Counter()
        for ordinal, (rule, edits, effect, is_place) in enumerate((*ordinary, *placing, *last)):
            first = effect_key(self._message, effect)
            key = effect_key(self._message, effect, seen[first]) if seen[first] else first
            seen[first] += 1
            yield Planned(key=key, ordinal=ordinal, edits=edits, rule=rule, place=is_place, effect=effect)

    def _carried(self) -> frozenset[str]:
        """Flags that a delivered message gets."""
        return frozenset(flag for flag in (self._came_with | self._add) - self._remove if self._home.holds(flag))

    def _line(self, rule: str, word: str, target: str) -> None:
        self.lines.append(Line(rule=rule, word=word, target=target))
