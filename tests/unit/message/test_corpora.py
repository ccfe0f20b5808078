"""The corpora: nothing raises, no byte is lost, and structure and contents are what others see, or we say why."""

import email
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from email.header import decode_header, make_header
from email.message import Message as TheirMessage
from pathlib import Path

import pytest

from postroom.message import Message, Part, edited, parse

MESSAGES = Path(__file__).parents[2] / "messages"
FILES = sorted(file for file in MESSAGES.rglob("*") if file.suffix in (".msg", ".eml"))
MIME4J = [file for file in FILES if file.suffix == ".msg"]
# What the expected structures call something else, or XML does not admit.
LINE_END = re.compile(rb"\r\n?")
NOT_IN_XML = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x80-\xff]")

NO_DELIMITER = "the body of a multipart without delimiters is shown as one text instead of being lost"
TRAILING_BLANK = "blanks after a delimiter do not count, since gateways add and remove them"
SHAPES = {
    "badbound": NO_DELIMITER,
    "missing-boundary": NO_DELIMITER,
    "missing-inner-boundary": NO_DELIMITER,
    "missing-inner-start-boundary": NO_DELIMITER,
    "multipartnopart": NO_DELIMITER,
    "very-long-boundary": TRAILING_BLANK,
    "very-very-long-boundary": TRAILING_BLANK,
    "weird-boundary": TRAILING_BLANK,
}
"""Messages whose parts differ from what Mime4J expects, and why."""

BODIES = SHAPES | {
    "basic-plain-with-bad-header-separator": "a line of blanks ends a header; Mime4J continues the field before",
    "hdr-fakeout": "a line of blanks ends a header; Mime4J continues the field before",
    "malformedHeader-noheader": "what begins without a field is body as a whole; Mime4J drops it",
    "malformedHeaderStartsBody-noheader": "what begins without a field is body as a whole; Mime4J drops a line",
    "malformedHeaderStartsBody-nocrlfcrlf": "a line without a colon among fields is skipped, as in the same message "
    "under its other name; Mime4J begins the body there and drops the field below",
}
"""Messages with another body than Mime4J expects, and why."""

ENCODED_MESSAGE = "compat32 leaves a message that is encoded as a whole unopened"
FOLDED_BOUNDARY = "compat32 keeps the fold within a quoted boundary and finds no delimiter"
HEADER_ENDS = "compat32 begins the body at the first line without a colon; we skip it where fields follow"
DOUBLE_DELIMITER = "compat32 takes two delimiters in a row for one; we find an empty part between them"
IMPLIED = "compat32 gives a multipart without parts as a leaf; we show its body as text, without the last line break"
LAST_BREAK = "compat32 drops the last line break where the closing delimiter is missing"
BROKEN_BASE64 = "compat32 gives base64 with foreign or lost characters undecoded; we decode what can be"
COMPAT32 = {
    "2002_06_12_doublebound": DOUBLE_DELIMITER,
    "bad-header-wrap": HEADER_ENDS,
    "bad-newlines-multiple-parts-base64": ENCODED_MESSAGE,
    "badbound": IMPLIED,
    "base64encoded-rfc822message": ENCODED_MESSAGE,
    "base64encoded-rfc822message-nested": ENCODED_MESSAGE,
    "double-bound": DOUBLE_DELIMITER,
    "ending-boundaries": IMPLIED,
    "header-only": IMPLIED,
    "jt-0498": LAST_BREAK,
    "malformedHeader-nocrlfcrlf": HEADER_ENDS,
    "malformedHeaderStartsBody-nocrlfcrlf": HEADER_ENDS,
    "mime-bad-8bit-filename": "compat32 replaces a file name in raw UTF-8",
    "mime-bad-content-transfer-encoding": BROKEN_BASE64,
    "mime-bad-content-type": "compat32 takes a parameter after a missing semicolon as part of the type",
    "mime-blank-media-name": "compat32 takes a parameter after a missing semicolon as part of the type",
    "missing-boundary": IMPLIED,
    "missing-inner-boundary": IMPLIED,
    "missing-inner-start-boundary": IMPLIED,
    "multi-2evil": "decode_header does not decode encoded words within a word, and fails on a language tag",
    "multi-2gifs-base64": ENCODED_MESSAGE,
    "multi-bad": LAST_BREAK,
    "multi-badnames": FOLDED_BOUNDARY,
    "multi-clen": FOLDED_BOUNDARY,
    "multi-digest": FOLDED_BOUNDARY,
    "multi-simple": FOLDED_BOUNDARY,
    "multipart-wo-boundary": IMPLIED,
    "multipartemptypart": "compat32 takes two delimiters in a row for one, even where the second closes",
    "multipartnopart": IMPLIED,
    "obsolete": "compat32 ends the header at a field name that is not ASCII",
    "twopart": BROKEN_BASE64,
    "weird-boundary": TRAILING_BLANK,
}
"""Messages that compat32 reads in another way, and why."""


def named(file: Path) -> str:
    return file.stem


@pytest.mark.parametrize("file", FILES, ids=named)
def test_every_message_is_read_and_keeps_its_bytes(file: Path, read_all: Callable[[bytes], Message]) -> None:
    raw = file.read_bytes()
    message = read_all(raw)
    assert message.raw is raw
    assert b"".join(edited(raw, ())) == raw
    assert not message.truncated


@pytest.mark.parametrize("file", FILES, ids=named)
def test_parts_lie_in_the_bytes_of_their_message_in_order(file: Path) -> None:
    parts = parse(file.read_bytes()).parts
    whole = [part for part in parts if part.within is None]
    assert [part.start for part in whole] == sorted(part.start for part in whole)
    for number, part in enumerate(parts):
        assert 0 <= part.start <= part.body_start <= part.end <= len(part.node.data)
        assert part.parent is None if number == 0 else part.parent is not None and part.parent < number


@pytest.mark.parametrize("file", MIME4J, ids=named)
def test_the_parts_are_nested_as_mime4j_expects(file: Path) -> None:
    expected = _expected_shape(_xml(file.with_name(f"{file.stem}_decoded.xml")))
    same = _shape(parse(file.read_bytes())) == expected
    assert same == (file.stem not in SHAPES), SHAPES.get(file.stem)


@pytest.mark.parametrize("file", MIME4J, ids=named)
def test_the_bodies_are_those_that_mime4j_expects(file: Path) -> None:
    expected = list(_expected_bodies(_xml(file.with_suffix(".xml"))))
    bodies = [_plain(bytes(part.node.data[part.body_start : part.end])) for part in _undecoded_leaves(file)]
    assert (bodies == expected) == (file.stem not in BODIES), BODIES.get(file.stem)


@pytest.mark.parametrize("file", FILES, ids=named)
def test_leaves_contents_and_file_names_are_those_of_compat32(file: Path) -> None:
    raw = file.read_bytes()
    ours = [
        (part.content_type, part.filename, LINE_END.sub(b"\n", part.content))
        for part in parse(raw).parts
        if not (part.is_multipart or part.node.is_message or part.node.block is not None)
    ]
    theirs = [_their_part(part) for part in email.message_from_bytes(raw).walk() if not part.is_multipart()]
    assert (ours == theirs) == (file.stem not in COMPAT32), COMPAT32.get(file.stem)


@pytest.mark.parametrize("reasons", [SHAPES, BODIES, COMPAT32], ids=["shapes", "bodies", "compat32"])
def test_each_deviation_names_a_message_that_exists(reasons: dict[str, str]) -> None:
    assert reasons.keys() <= {file.stem for file in FILES}


Shape = str | tuple[str, tuple["Shape", ...]]


def _xml(file: Path) -> ElementTree.Element:
    return ElementTree.fromstring(NOT_IN_XML.sub(b"?", file.read_bytes()))


def _expected_shape(element: ElementTree.Element) -> Shape:
    for child in element:
        if child.tag == "multipart":
            return "multipart", tuple(_expected_shape(part) for part in child if part.tag == "body-part")
        if child.tag == "message":
            return "message", (_expected_shape(child),)
    return "leaf"


def _shape(message: Message, number: int = 0) -> Shape:
    children = tuple(
        _shape(message, child)
        for child, part in enumerate(message.parts)
        if part.parent == number and part.node.block is None
    )
    if message.parts[number].is_multipart:
        return "multipart", children
    return ("message", children) if children else "leaf"


def _expected_bodies(element: ElementTree.Element) -> Iterator[bytes]:
    for child in element:
        if child.tag == "body":
            # The file puts a line break after the opening tag.
            yield _plain((child.text or "").removeprefix("\n").encode())
        elif child.tag in ("multipart", "body-part", "message"):
            yield from _expected_bodies(child)


def _undecoded_leaves(file: Path) -> list[Part]:
    parts = [part for part in parse(file.read_bytes()).parts if part.node.block is None]
    parents = {id(part.node.parent) for part in parts}
    return [part for part in parts if not part.is_multipart and id(part.node) not in parents]


def _plain(body: bytes) -> bytes:
    return LINE_END.sub(b"\n", NOT_IN_XML.sub(b"?", body))


def _their_part(part: "TheirMessage[str, str]") -> tuple[str, str | None, bytes]:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return part.get_content_type(), _their_name(part) or None, LINE_END.sub(b"\n", content)


def _their_name(part: "TheirMessage[str, str]") -> str | None:
    name = part.get_filename()
    try:
        return name and str(make_header(decode_header(name)))
    except LookupError:
        return name
