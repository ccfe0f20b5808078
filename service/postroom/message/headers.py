"""Header fields by offset: splitting, unfolding, lookup."""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from operator import itemgetter
from typing import overload

from pydantic import ConfigDict
from pydantic import Field as Option

from postroom.message.build import build
from postroom.message.defects import Defect
from postroom.message.words import decode_words
from postroom.model import Model

# A field with its continuation lines, as name, colon and value; else a line that is none. Names are what
# RFC 5322 §2.2 allows, and 8-bit characters.
_FIELDS = re.compile(rb"([!-9;-~\x80-\xff]++)([ \t]*+:)([^\n]*+(?:\n[ \t][^\n]*+)*+\n?)|([^\n]++\n?|\n)")
_NAME, _JUNK = itemgetter(0), itemgetter(3)
_ADDRESSES = (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc")
# So few fields are looked through faster than a table is made.
_FEW = 5
_BARE_CR = re.compile(rb"\r(?!\n)")


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

    Nothing is decoded before it is asked for. `end` is where the last field ends.
    """

    __slots__ = (
        "_fields",
        "_first",
        "_original",
        "_start",
        "_starts",
        "_values",
        "_words_found",
        "cut",
        "end",
        "found",
        "limit",
    )

    def __init__(self, block: bytes, start: int, most: int, limit: int) -> None:
        self._start = start
        self.limit = limit
        self.found: set[Defect] = set()
        """What was odd about the form of the fields."""
        self.cut = False
        """Whether there are more fields, or longer ones, than the limits allow."""
        self._first: dict[bytes, int] | None = None
        self._starts: list[int] | None = None
        self._values: dict[int, str] = {}
        self._words_found: set[Defect] = set()
        self._original = block
        self.end = start + len(block)
        if _BARE_CR.search(block):
            # A bare CR ends a line as it does for most programs; offsets stay the same.
            block = _BARE_CR.sub(b"\n", block)
            self.found.add(Defect.BARE_CR)
        if b"\0" in block:
            self.found.add(Defect.NUL_IN_HEADER)
        self._fields: list[tuple[bytes, bytes, bytes, bytes]] = _FIELDS.findall(block)
        if any(map(_JUNK, self._fields)):
            self._drop_junk()
        if len(self._fields) > most:
            self.found.add(Defect.TOO_MANY_HEADERS)
            self.cut = True
            del self._fields[most:]
        if len(block) > limit and self._is_over_limit():
            self.found.add(Defect.HEADER_TOO_LONG)
            self.cut = True

    def _is_over_limit(self) -> bool:
        """Whether a field is too long, or all fields of one name that hold addresses together."""
        room = dict.fromkeys(_ADDRESSES, self.limit)
        for name, _, value, _ in self._fields:
            key = name.lower()
            if key in room:
                room[key] -= len(value)
            if len(value) > self.limit or room.get(key, 0) < 0:
                return True
        return False

    def _drop_junk(self) -> None:
        """Keep the fields. What follows the last one belongs to the body, as the blank line is missing."""
        kept: list[tuple[bytes, bytes, bytes, bytes]] = []
        starts: list[int] = []
        position = last = self._start
        for field in self._fields:
            junk = field[3]
            if junk:
                if not kept or junk.startswith(b"--") or junk.isspace():
                    # No field before it, the delimiter of a multipart, or a blank line.
                    break
                position += len(junk)
                continue
            if position != last:
                self.found.add(Defect.JUNK_IN_HEADER)
            kept.append(field)
            starts.append(position)
            position = last = position + sum(map(len, field))
        self._fields, self._starts, self.end = kept, starts, last

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
        for number, field in enumerate(self._fields):
            yield field[0].decode("latin-1"), self._value(number)

    def get(self, name: str) -> str | None:
        """The decoded value of the first field of that name; None where there is none."""
        number = self._number(name)
        return self._value(number) if number >= 0 else None

    def get_all(self, name: str) -> tuple[str, ...]:
        """The decoded values of all fields of that name, in their order."""
        return tuple(map(self._value, self._numbers(name)))

    def fields(self, name: str) -> tuple[Header, ...]:
        """All fields of that name with their offsets, in their order."""
        return tuple(self._header(number) for number in self._numbers(name))

    def unfolded(self, name: str) -> bytes:
        """The undecoded, unfolded value of the first field of that name; empty where there is none."""
        number = self._number(name)
        return self._unfolded(number) if number >= 0 else b""

    def unfolded_all(self, name: str) -> tuple[bytes, ...]:
        """The undecoded, unfolded values of all fields of that name, in their order; together `limit` at most."""
        values: list[bytes] = []
        room = self.limit
        for number in self._numbers(name):
            value = self._unfolded(number)[:room]
            values.append(value)
            room -= len(value)
            if room <= 0:
                break
        return tuple(values)

    def content_fields(self) -> tuple[bytes, bytes, bytes, int]:
        """The unfolded Content-Type, -Transfer-Encoding and -Disposition, and how often the first stands.

        In one go, as every part is asked for them.
        """
        kind, encoding, disposition, times = b"", b"", b"", 0
        for number, (name, _, _, _) in enumerate(self._fields):
            length = len(name)
            if length == 12 and name.lower() == b"content-type":
                times += 1
                kind = kind if times > 1 else self._unfolded(number)
            elif length == 25 and not encoding and name.lower() == b"content-transfer-encoding":
                encoding = self._unfolded(number)
            elif length == 19 and not disposition and name.lower() == b"content-disposition":
                disposition = self._unfolded(number)
        return kind, encoding, disposition, times

    def occurrences(self, name: str) -> int:
        """How many fields have that name."""
        return len(self._numbers(name))

    def word_defects(self) -> set[Defect]:
        """What is wrong with the encoded words of all fields; decodes every one."""
        for number, field in enumerate(self._fields):
            if b"=?" in field[2]:
                self._value(number)
        return self._words_found

    def _number(self, name: str) -> int:
        """Give the number of the first field of that name, or -1."""
        key = name.lower().encode("latin-1", "replace")
        if self._first is None:
            if len(self._fields) <= _FEW:
                for number, field in enumerate(self._fields):
                    if field[0].lower() == key:
                        return number
                return -1
            names = list(map(bytes.lower, map(_NAME, self._fields)))
            # In reverse, so that the first of equal names stays.
            self._first = dict(zip(reversed(names), reversed(range(len(names))), strict=True))
        return self._first.get(key, -1)

    def _numbers(self, name: str) -> Sequence[int]:
        first = self._number(name)
        if first < 0:
            return ()
        if self._first is not None and len(self._first) == len(self._fields):
            return (first,)
        key = self._fields[first][0].lower()
        rest = range(first, len(self._fields))
        return [number for number in rest if self._fields[number][0].lower() == key]

    def _value(self, number: int) -> str:
        value = self._values.get(number)
        if value is None:
            raw = self._unfolded(number)
            # Most are ASCII and need no decoding.
            value = raw.decode("ascii") if raw.isascii() and b"=?" not in raw else ""
            if not value.isprintable() or not value:
                value = decode_words(raw, self._words_found)
            self._values[number] = value
        return value

    def _unfolded(self, number: int) -> bytes:
        value = self._fields[number][2]
        if len(value) > self.limit:
            value = value[: self.limit]
        value = value.strip()
        return value.replace(b"\r\n", b"").replace(b"\n", b"") if b"\n" in value else value

    def _header(self, number: int) -> Header:
        if self._starts is None:
            lengths = (len(name) + len(colon) + len(value) for name, colon, value, _ in self._fields)
            self._starts = list(accumulate(lengths, initial=self._start))
        name, colon, value, _ = self._fields[number]
        start = self._starts[number]
        end = start + len(name) + len(colon) + len(value)
        return build(
            Header,
            {
                "name": name.decode("latin-1"),
                "value": self._value(number),
                "raw": memoryview(self._original)[start - self._start : end - self._start],
                "start": start,
                "end": end,
            },
            _HEADER_FIELDS,
        )
