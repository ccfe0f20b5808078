"""Content-Type and Content-Disposition: the value before the first `;` and the parameters (RFC 2045 §5.1,
2183, 2231).
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from postroom.message import charset
from postroom.message.defects import Defect, note
from postroom.message.words import BLANKS, decode_words, without_controls

# By far the most fields hold one plain parameter at most.
_SIMPLE = re.compile(
    r"""([\w.+/-]*+) \s*+ (?: ; \s*+ ([\w-]++) = (?: "([\w.:/+='(), -]*+)" | ([\w.:/+=-]*+) ) )?+""",
    re.VERBOSE | re.ASCII,
)
_PARAMETER = re.compile(
    r"""[\s;]*+ ([^\s;="]*+) [^;="]*+
        (?: = \s*+ (?: "([^"\\]*+(?:\\.[^"\\]*+)*+) ("|\\?\Z) [^;]*+ | ([^;]*+) ) | "[^;]*+ | (?=;|\Z) )""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_EXTENDED = re.compile(r"([^*]+)(?:\*([0-9]{1,4}))?(\*)?")
# Other backslashes stay: they stand for themselves in file names that Windows programs write.
_PAIR = re.compile(r"\\([\"\\])")
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")


Parameters = tuple[str, dict[str, str], dict[str, str]]
"""The value in lower case without comments, the parameters decoded, and as octets those outside RFC 2231; all names
are in lower case.
"""


class _Segment(NamedTuple):
    number: int
    encoded: bool
    octets: str


def parse(octets: str, found: set[Defect] | None = None) -> Parameters:
    """Read an unfolded field value, one character for each octet; never raises, linear in its length.

    Of repeated parameters the first counts. `name*` and `name*0`, `name*1` … (RFC 2231) are joined before
    decoding and win over a plain `name`. Encoded words within quotes, which no RFC allows and many programs write,
    are decoded.
    """
    if simple := _SIMPLE.fullmatch(octets):
        value, name, quoted, bare = simple.groups()
        named = {name.lower(): quoted or bare or ""} if name else {}
        return value.lower(), named, named
    head, _, rest = octets.partition(";")
    value = head.partition("(")[0].strip(BLANKS).lower()
    if "=" in head:  # The first semicolon was left out: `application/pdf name="a.pdf"`.
        note(found, Defect.BAD_PARAMETER)
        value = value.split(maxsplit=1)[0] if value else ""
        rest = octets.strip(BLANKS)[len(value) :]
    if not rest:
        return value, {}, {}
    plain: dict[str, str] = {}
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
    decoded = {name: decode_words(content.encode("latin-1"), found) for name, content in plain.items()}
    for name, segments in extended.items():
        decoded[name] = _joined(segments, found)
    return value, decoded, plain


def _each(rest: str, found: set[Defect] | None) -> Iterator[tuple[str, str]]:
    for match in _PARAMETER.finditer(rest):
        name, quoted, closing, bare = match.groups()
        if quoted is not None:
            if closing != '"':
                note(found, Defect.BAD_PARAMETER)
            content = _PAIR.sub(r"\1", quoted) if "\\" in quoted else quoted
        elif bare is not None:
            content = bare.rstrip(BLANKS)
        else:
            continue
        if name:
            yield name.lower(), content


def _joined(segments: list[_Segment], found: set[Defect] | None) -> str:
    """Join the segments in the order of their numbers; a repeated number counts once."""
    first_of_each = {segment.number: segment for segment in reversed(segments)}
    if len(first_of_each) < len(segments):
        note(found, Defect.BAD_PARAMETER)
    ordered = [first_of_each[number] for number in sorted(first_of_each)]
    if not any(segment.encoded for segment in ordered):
        return decode_words("".join(segment.octets for segment in ordered).encode("latin-1"), found)
    label = ""
    first = ordered[0]
    if first.encoded and first.octets.count("'") >= 2:
        label, _, octets = first.octets.split("'", 2)
        ordered[0] = first._replace(octets=octets)
    elif first.encoded:
        note(found, Defect.BAD_PARAMETER)
    joined = "".join(_unescaped(segment.octets) if segment.encoded else segment.octets for segment in ordered)
    return without_controls(charset.decode(joined.encode("latin-1"), label.strip(), found))


def _unescaped(octets: str) -> str:
    return _PERCENT.sub(lambda match: chr(int(match[1], 16)), octets)
