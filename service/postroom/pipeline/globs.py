"""Globs over a whole value, and sets of them that cost little more than one.

Only `*` (any text, line breaks too) and `?` (one character) are special; `\\` escapes. Case is ignored. The common
shapes are plain searches; only a glob with `?` needs RE2, which is imported for it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Final

from postroom.pipeline.text import composed, folded

LONGEST: Final = 1000  # characters of a glob
_ANY: Final = "*"
_ONE: Final = "?"
_GRAM: Final = 3


class Glob:
    """One glob. Raises ValueError for one that ends in a lone `\\` or is too long."""

    __slots__ = ("_match", "pieces", "source")

    def __init__(self, source: str) -> None:
        if len(source) > LONGEST:
            raise ValueError(f"a pattern has at most {LONGEST} characters")
        self.source = source
        self.pieces = _pieces(source)
        self._match = _matcher(self.pieces)

    def match(self, text: str) -> bool:
        """Whether the whole of `text`, folded, is of this form."""
        return self._match(text)

    @property
    def longest(self) -> str:
        """The longest literal piece: a text without it cannot match."""
        return max((run for piece in self.pieces for run in piece.split("\0")), key=len, default="")


def literal(text: str) -> str:
    """The glob that matches this text and nothing else."""
    return text.replace("\\", "\\\\").replace("*", "\\*").replace("?", "\\?")


def _pieces(source: str) -> tuple[str, ...]:
    """Folded literal text between stars; NUL stands for `?`, since no composed pattern needs one."""
    pieces: list[list[str]] = [[]]
    chars = iter(composed(source).replace("\0", "\ufffd"))
    for char in chars:
        if char == "\\":
            escaped = next(chars, None)
            if escaped is None:
                raise ValueError("a pattern cannot end in a single `\\`: write `\\\\` for the character itself")
            pieces[-1].append(escaped)
        elif char == _ANY:
            pieces.append([])
        else:
            pieces[-1].append("\0" if char == _ONE else char)
    return tuple(folded("".join(piece)) for piece in pieces)


def _matcher(pieces: tuple[str, ...]) -> Callable[[str], bool]:
    if any("\0" in piece for piece in pieces):
        return _regex(pieces)
    match [pieces[0], *(piece for piece in pieces[1:-1] if piece), *pieces[1:][-1:]]:
        case [only]:
            return only.__eq__
        case ["", ""]:
            return lambda _: True
        case ["", end]:
            return lambda text: text.endswith(end)
        case [start, ""]:
            return lambda text: text.startswith(start)
        case ["", middle, ""]:
            return lambda text: middle in text
        case [start, *middles, end]:
            return lambda text: _in_order(text, start, middles, end)
    raise AssertionError(pieces)


def _in_order(text: str, start: str, middles: Sequence[str], end: str) -> bool:
    """The first place of each piece is as good as any other: linear, no going back."""
    if not text.startswith(start):
        return False
    position = len(start)
    for middle in middles:
        found = text.find(middle, position)
        if found < 0:
            return False
        position = found + len(middle)
    return text.endswith(end) and position + len(end) <= len(text)


def _regex(pieces: tuple[str, ...]) -> Callable[[str], bool]:
    import re2

    # Folded already, so RE2's own idea of case does not come in.
    options = re2.Options()
    options.log_errors, options.dot_nl, options.max_mem = False, True, 8 << 20
    source = ".*".join(".".join(re2.escape(run) for run in piece.split("\0")) for piece in pieces)
    compiled = re2.compile(source, options=options)
    return lambda text: compiled.fullmatch(text.encode()) is not None


class GlobSet:
    """Many globs on one field: which of them match a text, found by index rather than one by one.

    Whole values are looked up, so are ends and beginnings by their lengths; of every other glob the rarest three
    characters of its longest literal have to be in the text before it is tried.
    """

    def __init__(self, globs: Iterable[Glob]) -> None:
        self.globs = tuple(globs)

    def hits(self, text: str) -> Iterator[int]:
        """Positions of the globs that match `text` (folded), each once, in no order."""
        index = self._index
        yield from index.whole.get(text, ())
        for length, ends in index.ends.items():
            yield from ends.get(text[-length:] if length <= len(text) else None, ())
        for length, starts in index.starts.items():
            yield from starts.get(text[:length] if length <= len(text) else None, ())
        yield from index.free
        for place in index.candidates(text):
            if self.globs[place].match(text):
                yield place

    def first(self, text: str) -> Glob | None:
        """One that matches, if any does."""
        place = next(self.hits(text), None)
        return None if place is None else self.globs[place]

    @cached_property
    def _index(self) -> "_Index":
        return _Index(self.globs)


class _Index:
    def __init__(self, globs: Sequence[Glob]) -> None:
        self.whole: dict[str, list[int]] = {}
        self.ends: dict[int, dict[str | None, list[int]]] = {}
        self.starts: dict[int, dict[str | None, list[int]]] = {}
        self.free: list[int] = []  # match everything
        self._short: list[tuple[str, int]] = []  # literals below three characters, or none: tried as they are
        self._grams: dict[str, list[tuple[str, int]]] = {}
        within: list[tuple[str, int]] = []
        for place, glob in enumerate(globs):
            match glob.pieces:
                case [only] if "\0" not in only:
                    self.whole.setdefault(only, []).append(place)
                case ["", ""]:
                    self.free.append(place)
                case ["", end] if "\0" not in end:
                    self.ends.setdefault(len(end), {}).setdefault(end, []).append(place)
                case [start, ""] if "\0" not in start:
                    self.starts.setdefault(len(start), {}).setdefault(start, []).append(place)
                case _:
                    within.append((glob.longest, place))
        self._sort_by_rarest(within)

    def _sort_by_rarest(self, within: list[tuple[str, int]]) -> None:
        counts: dict[str, int] = {}
        for needle, _ in within:
            for gram in _grams(needle):
                counts[gram] = counts.get(gram, 0) + 1
        for needle, place in within:
            if len(needle) < _GRAM:
                self._short.append((needle, place))
            else:
                rarest = min(sorted(_grams(needle)), key=counts.__getitem__)
                self._grams.setdefault(rarest, []).append((needle, place))

    def candidates(self, text: str) -> Iterator[int]:
        """Those whose literal is in the text."""
        for needle, place in self._short:
            if needle in text:
                yield place
        if not self._grams:
            return
        # A text longer than the index has keys is asked for each key; else each of its grams is looked up.
        if len(text) > 10 * len(self._grams):
            near = [gram for gram in self._grams if gram in text]
        else:
            near = list(_grams(text) & self._grams.keys())
        for gram in near:
            for needle, place in self._grams[gram]:
                if needle in text:
                    yield place


def _grams(text: str) -> set[str]:
    return {text[place : place + _GRAM] for place in range(len(text) - _GRAM + 1)}
