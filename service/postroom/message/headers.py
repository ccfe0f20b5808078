"""Header fields by offset: splitting, unfolding, lookup."""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import overload

from pydantic import ConfigDict
from pydantic import Field as Option

from postroom.message import charset
from postroom.message.build import build
from postroom.message.defects import Defect
from postroom.message.limits import Limits
from postroom.message.words import BLANKS, decode_words, without_controls
from postroom.model import Model

# A field with its continuation lines, as name, colon and value; else a line that is none. Names are what
# RFC 5322 §2.2 allows, and 8-bit characters.
_FIELDS = re.compile(r"([!-9;-~\x80-\xff]++)([ \t]*+:)([^\n]*+(?:\n[ \t][^\n]*+)*+\n?)|([^\n]++\n?|\n)")
_BARE_CR = re.compile(rb"\r(?!\n)")
_ADDRESSES = ("from", "sender", "reply-to", "to", "cc", "bcc")


class Header(Model):
    """One header field. `value` is decoded (RFC 2047, RFC 6532) and unfolded; `raw` is the field with its
    line end.

    `start` and `end` are offsets into the bytes that the header's message or part lies in.
    """

    name: str
    value: str
    raw: memoryview = Option(repr=False, exclude=True)
    start: int
    end: int

    model_config = ConfigDict(arbitrary_types_allowed=True)


_HEADER_FIELDS = set(Header.model_fields)


class Headers(Sequence[Header]):
    """The fields of one header in their order; names are compared without regard to case.

    `start` is where the first field begins, `end` where the last one ends, `body_start` where the body begins.
    Fields are kept as octets in a text, one character for each, and nothing is decoded before it is asked for.
    """

    __slots__ = (
        "_block", "_fields", "_names", "_spans", "_values", "_words_found", "body_start", "cut", "end", "found",
        "start",
    )  # fmt: skip

    def __init__(self, block: bytes, start: int, limits: Limits) -> None:
        self.start = start
        self.end = self.body_start = start + len(block)
        self.found: set[Defect] = set()
        """What was odd about the form of the header, and of the part that it stands before."""
        self.cut = False
        """Whether there are more fields, or longer ones, than the limits allow."""
        self._spans: Sequence[tuple[int, int]] | None = None
        self._block = block
        self._values: dict[int, str] = {}
        self._words_found: set[Defect] = set()
        if _BARE_CR.search(block):
            # A bare CR ends a line as it does for most programs; offsets stay the same.
            block = _BARE_CR.sub(b"\n", block)
            self.found.add(Defect.BARE_CR)
        if b"\0" in block:
            self.found.add(Defect.NUL_IN_HEADER)
        self._fields: list[tuple[str, str, str, str]] = _FIELDS.findall(block.decode("latin-1"))
        self._names = [name.lower() for name, _, _, _ in self._fields]
        if "" in self._names:
            self._drop_junk()
        if len(self._fields) > limits.headers:
            self.found.add(Defect.TOO_MANY_HEADERS)
            self.cut = True
            del self._fields[limits.headers :], self._names[limits.headers :]
        if len(block) > limits.header:
            self._bound(limits.header)

    def _drop_junk(self) -> None:
        """Keep the fields. What follows the last one belongs to the body, as the blank line is missing."""
        kept: list[tuple[str, str, str, str]] = []
        spans: list[tuple[int, int]] = []
        position = self.end = self.start
        for field in self._fields:
            start = position
            name, colon, value, junk = field
            position += len(name) + len(colon) + len(value) + len(junk)
            if not junk:
                if start != self.end:
                    self.found.add(Defect.JUNK_IN_HEADER)
                kept.append(field)
                spans.append((start, position))
                self.end = position
            elif not kept or junk.startswith("--") or not junk.strip(BLANKS):
                # No field before it, the delimiter of a multipart, or a blank line.
                break
        self.body_start = self.end
        self._fields, self._spans = kept, spans
        self._names = [name.lower() for name, _, _, _ in kept]

    def _bound(self, limit: int) -> None:
        """Cut the values that are too long; all fields of one name that hold addresses count together."""
        room = dict.fromkeys(_ADDRESSES, limit)
        bounded: list[tuple[str, str, str, str]] = []
        for key, (name, colon, value, _) in zip(self._names, self._fields, strict=True):
            most = room.get(key, limit)
            bounded.append((name, colon, value[:most], ""))
            if len(value) > most:
                self.found.add(Defect.HEADER_TOO_LONG)
            if key in room:
                room[key] = max(0, most - len(value))
        if Defect.HEADER_TOO_LONG in self.found:
            self.cut = True
            self._spans = self._spans or self._measured()
            self._fields = bounded

    def _measured(self) -> Sequence[tuple[int, int]]:
        """Where each field begins and ends, if nothing stands between them."""
        ends = list(accumulate((sum(map(len, field)) for field in self._fields), initial=self.start))
        return list(pairwise(ends))

    def __len__(self) -> int:
        return len(self._fields)

    @overload
    def __getitem__(self, index: int) -> Header: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Header, ...]: ...
    def __getitem__(self, index: int | slice) -> Header | tuple[Header, ...]:
        if isinstance(index, slice):
            return tuple(self._header(number) for number in range(*index.indices(len(self))))
        return self._header(index)

    def __iter__(self) -> Iterator[Header]:
        return map(self._header, range(len(self._fields)))

    def __repr__(self) -> str:
        return f"<Headers: {len(self)} fields>"

    def items(self) -> Iterator[tuple[str, str]]:
        """Give name and decoded value of each field; cheaper than the fields themselves."""
        found = self._words_found
        return iter([(name, _decoded(value, found)) for name, _, value, _ in self._fields])

    def get(self, name: str) -> str | None:
        """The decoded value of the first field of that name; None where there is none."""
        name = name.lower()
        return self._value(self._names.index(name)) if name in self._names else None

    def get_all(self, name: str) -> tuple[str, ...]:
        """The decoded values of all fields of that name, in their order."""
        return tuple(map(self._value, self._numbers(name)))

    def fields(self, name: str) -> tuple[Header, ...]:
        """All fields of that name with their offsets, in their order."""
        return tuple(map(self._header, self._numbers(name)))

    def octets(self, name: str) -> str:
        """The unfolded value of the first field of that name, one character for each octet; empty where there is
        none. `name` is in lower case.
        """
        return _unfolded(self._fields[self._names.index(name)][2]) if name in self._names else ""

    def unfolded_all(self, name: str) -> tuple[str, ...]:
        """The unfolded values of all fields of that name, in their order, with encoded words as they stand."""
        values = (_unfolded(self._fields[number][2]) for number in self._numbers(name))
        return tuple(value if value.isascii() else charset.decode(value.encode("latin-1")) for value in values)

    def occurrences(self, name: str) -> int:
        """How many fields have that name."""
        return self._names.count(name.lower())

    def word_defects(self) -> set[Defect]:
        """What is wrong with the encoded words of all fields; decodes every one."""
        for number, field in enumerate(self._fields):
            if "=?" in field[2]:
                self._value(number)
        return self._words_found

    def _numbers(self, name: str) -> Sequence[int]:
        name = name.lower()
        return [number for number, known in enumerate(self._names) if known == name]

    def _value(self, number: int) -> str:
        value = self._values.get(number)
        if value is None:
            value = self._values[number] = _decoded(self._fields[number][2], self._words_found)
        return value

    def _header(self, number: int) -> Header:
        if self._spans is None:
            self._spans = self._measured()
        start, end = self._spans[number]
        return build(
            Header,
            {
                "name": self._fields[number][0],
                "value": self._value(number),
                "raw": memoryview(self._block)[start - self.start : end - self.start],
                "start": start,
                "end": end,
            },
            _HEADER_FIELDS,
        )


def _unfolded(value: str) -> str:
    value = value.strip(BLANKS)
    return value.replace("\r\n", "").replace("\n", "") if "\n" in value else value


def _decoded(value: str, found: set[Defect]) -> str:
    value = _unfolded(value)
    if "=?" in value or not value.isascii():
        return decode_words(value.encode("latin-1"), found)
    return value if value.isprintable() else without_controls(value)
