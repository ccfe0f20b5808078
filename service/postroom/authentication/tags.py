"""Lists of tags, `v=1; a=rsa-sha256; …`, of signatures, keys and policies (RFC 6376 §3.2)."""

import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Final

LONGEST: Final = 16 * 1024  # octets of one list
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_DOMAIN: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")
_DIGITS: Final = re.compile(r"\d{1,12}")


class Malformed(ValueError):  # noqa: N818 - reads as a verdict where it is raised
    """What is no such list, or holds a value that cannot stand there; its text holds no value."""


def parse(text: str) -> dict[str, str]:
    """Names with values, in order. Raises Malformed."""
    if len(text) > LONGEST:
        raise Malformed("the list of tags is too long")
    found: dict[str, str] = {}
    pieces = text.split(";")
    if not pieces[-1].strip():
        pieces.pop()
    for piece in pieces:
        name, equals, value = piece.partition("=")
        name = name.strip()
        if not equals or not _NAME.fullmatch(name):
            raise Malformed("it is no list of tags")
        if name in found:
            raise Malformed("a tag stands twice")
        found[name] = value.strip()
    return found


def domain(tags: Mapping[str, str], name: str) -> str:
    """Raises Malformed where it is missing or none."""
    text = tags.get(name, "").lower()
    if not text.isascii():
        try:
            text = text.encode("idna").decode()
        except UnicodeError:
            raise Malformed(f"{name}= is no domain") from None
    if len(text) > 253 or not _DOMAIN.fullmatch(text):
        raise Malformed(f"{name}= is no domain")
    return text


def number(tags: Mapping[str, str], name: str) -> int | None:
    """None where it is missing. Raises Malformed."""
    if name not in tags:
        return None
    if not _DIGITS.fullmatch(tags[name]):
        raise Malformed(f"{name}= is no number")
    return int(tags[name])


def words(tags: Mapping[str, str], name: str, default: str = "") -> list[str]:
    """What stands between colons, lower case."""
    return ["".join(word.split()).lower() for word in tags.get(name, default).split(":")]


def octets(tags: Mapping[str, str], name: str) -> bytes:
    """Base64 with white space anywhere. Raises Malformed."""
    try:
        return b64decode("".join(tags.get(name, "").split()), validate=True)
    except ValueError:
        raise Malformed(f"{name}= is no base64") from None
