"""What makes a value from a message safe in the place where a template puts it."""

import re
from typing import Any, Final

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_TEXT_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]+")
_FOLDER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f/\\.*%\u2028\u2029]+")
NOTHING: Final = "unknown"  # stands for a path or folder segment whose values are empty
_MOST_SEGMENT: Final = 240  # octets, below the 255 of file systems
_MOST_FOLDER: Final = 80  # octets of one value: all segments of a Maildir++ folder share one file name


def text_of(value: object) -> str:
    """The value as text that encodes: None is empty, a fact that is true prints as YAML writes it."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case tuple() | list():
            return ", ".join(text_of(item) for item in value)
        case set() | frozenset():
            return ", ".join(sorted(text_of(item) for item in value))
        case dict():
            return ""
    text = str(value)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


class Listed(tuple[Any, ...]):
    """A list that prints as a reader wants it, also where a template makes text of it (`~`, `| upper`)."""

    __slots__ = ()

    def __str__(self) -> str:
        return text_of(self)


class Answer(dict[str, Any]):
    """A mapping that prints as nothing: what it holds has to be named."""

    def __str__(self) -> str:
        return ""


def printable(value: object) -> object:
    """A fact whose lists and mappings print as text, however deep they lie."""
    match value:
        case tuple() | list():
            return Listed(map(printable, value))
        case set() | frozenset():
            return Listed(map(printable, sorted(value, key=text_of)))
        case dict():
            return Answer((key, printable(one)) for key, one in value.items())
    return value


def header_value(value: object) -> str:
    """One line, whatever line breaks and control characters it held (RFC 5322 §2.2)."""
    return _CONTROL.sub(" ", text_of(value)).strip()


def plain_text(value: object) -> str:
    """Several lines of text without control characters, line ends as `\\n`."""
    return _TEXT_CONTROL.sub(" ", text_of(value).replace("\r\n", "\n").replace("\r", "\n"))


def html_text(value: object) -> str:
    """Text within HTML, attributes in quotes included: no character of it is markup."""
    from html import escape

    return escape(plain_text(value), quote=True)


def path_segment(value: object) -> str:
    """One segment of a path: no separator, no control character, never `..`; empty where the value is."""
    from postroom.message.names import safe_name

    text = text_of(value)
    return safe_name(text, NOTHING) if text.strip() else ""


def folder_segment(value: object) -> str:
    """One segment of a folder's name. `.` separates folders of a Maildir++, `*` and `%` are IMAP's wildcards."""
    text = _FOLDER.sub("-", text_of(value)).strip(" -~#&")
    return cut(text, _MOST_FOLDER)


def argument_value(value: object) -> str:
    """Text for one argument of a command: no NUL, no line break."""
    return _CONTROL.sub(" ", text_of(value))


def url_component(value: object) -> str:
    """Percent-encoded, so that it stays one component (RFC 3986 §2.1)."""
    from urllib.parse import quote

    text = text_of(value)
    return "-" if text in (".", "..") else quote(text, safe="")


def cut(text: str, most: int) -> str:
    """At most so many octets of UTF-8, whole characters."""
    return text if len(text) * 4 <= most else text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")


def tidy_segments(text: str, root: str) -> str:
    """The path with every segment behind `root` usable: none empty, `.`, `..` or too long for a file system."""
    head, *rest = text[: len(root)], *text[len(root) :].split("/")
    last = len(rest) - 1
    return head + "/".join(
        "" if place == last and place and not segment else _usable(segment) for place, segment in enumerate(rest)
    )


def _usable(segment: str) -> str:
    return NOTHING if segment.strip() in ("", ".", "..") else cut(segment, _MOST_SEGMENT)
