"""Content-Type and Content-Disposition: the value before the first `;` and the parameters (RFC 2045 §5.1,
2183, 2231).
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from postroom.message import charset
from postroom.message.defects import Defect, note
from postroom.message.words import decode_words, without_controls

# By far the most fields hold one plain parameter at most.
_SIMPLE = re.compile(
    rb"""([\w.+/-]*+) \s*+ (?: ; \s*+ ([\w-]++) = (?: "([\w.:/+='(), -]*+)" | ([\w.:/+=-]*+) ) )?+""",
    re.VERBOSE,
)
_PARAMETER = re.compile(
    rb"""[\s;]*+ ([^\s;="]*+) [^;="]*+
         (?: = \s*+ (?: "([^"\\]*+(?:\\.[^"\\]*+)*+) ("|\\?\Z) [^;]*+ | ([^;]*+) ) | "[^;]*+ | (?=;|\Z) )""",
    re.VERBOSE | re.DOTALL,
)
_EXTENDED = re.compile(r"([^*]+)(?:\*(\d{1,4}))?(\*)?")
# Other backslashes stay: they stand for themselves in file names that Windows programs write.
_PAIR = re.compile(rb"\\([\"\\])")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")


Parameters = tuple[str, dict[str, str], dict[str, bytes]]
"""The value in lower case without comments, the parameters decoded, and those outside RFC 2231 undecoded; all names
are in lower case.
"""


class _Segment(NamedTuple):
    number: int
    encoded: bool
    content: bytes


def parse(raw: bytes, found: set[Defect] | None = None) -> Parameters:
    """Read an unfolded field value; never raises, linear in its length. Of repeated parameters the first
    counts.

    `name*` and `name*0`, `name*1` … (RFC 2231) are joined as bytes before decoding and win over a plain
    `name`. Encoded words within quotes, which no RFC allows and many programs write, are decoded.
    """
    if simple := _SIMPLE.fullmatch(raw):
        value, name, quoted, bare = simple.groups()
        content = quoted or bare or b""
        key = name.decode("ascii").lower() if name else ""
        named = ({key: content.decode("ascii")}, {key: content}) if name else ({}, {})
        return value.decode("ascii").lower(), *named
    head, _, rest = raw.partition(b";")
    value = head.partition(b"(")[0].strip().lower().decode("latin-1")
    if b"=" in head:  # The first semicolon was left out: `application/pdf name="a.pdf"`.
        note(found, Defect.BAD_PARAMETER)
        value = value.split(maxsplit=1)[0] if value else ""
        rest = raw.strip()[len(value) :]
    if not rest:
        return value, {}, {}
    plain: dict[str, bytes] = {}
    extended: dict[str, list[_Segment]] = {}
    for name, content in _each(rest, found):
        match = _EXTENDED.fullmatch(name) if "*" in name else None
        if match is not None:
            segment = _Segment(int(match[2] or 0), match[3] is not None, content)
            extended.setdefault(match[1], []).append(segment)
        elif name in plain:
            note(found, Defect.BAD_PARAMETER)
        else:
            plain[name] = content
    decoded = {name: decode_words(content, found) for name, content in plain.items()}
    for name, segments in extended.items():
        decoded[name] = _joined(segments, found)
    return value, decoded, plain


def _each(rest: bytes, found: set[Defect] | None) -> Iterator[tuple[str, bytes]]:
    for match in _PARAMETER.finditer(rest):
        name, quoted, closing, bare = match.groups()
        if quoted is not None:
            if closing != b'"':
                note(found, Defect.BAD_PARAMETER)
            content = _PAIR.sub(rb"\1", quoted) if b"\\" in quoted else quoted
        elif bare is not None:
            content = bare.rstrip()
        else:
            continue
        if name:
            yield name.decode("latin-1").lower(), content


def _joined(segments: list[_Segment], found: set[Defect] | None) -> str:
    """Join the segments in the order of their numbers; a repeated number counts once."""
    first_of_each = {segment.number: segment for segment in reversed(segments)}
    if len(first_of_each) < len(segments):
        note(found, Defect.BAD_PARAMETER)
    ordered = [first_of_each[number] for number in sorted(first_of_each)]
    if not any(segment.encoded for segment in ordered):
        return decode_words(b"".join(segment.content for segment in ordered), found)
    label = ""
    first = ordered[0]
    if first.encoded and first.content.count(b"'") >= 2:
        raw_label, _, content = first.content.split(b"'", 2)
        label = raw_label.decode("latin-1").strip()
        ordered[0] = first._replace(content=content)
    elif first.encoded:
        note(found, Defect.BAD_PARAMETER)
    joined = b"".join(_unescaped(part.content) if part.encoded else part.content for part in ordered)
    return without_controls(charset.decode(joined, label, found))


def _unescaped(content: bytes) -> bytes:
    return _PERCENT.sub(lambda match: bytes([int(match[1], 16)]), content)
