"""Text as patterns see it: composed (NFC), clean UTF-8, and folded for comparison without case."""

import unicodedata
from collections.abc import Iterable
from functools import cached_property


def composed(text: str) -> str:
    """NFC, with U+FFFD for what UTF-8 cannot carry (lone surrogates)."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))


def folded(text: str) -> str:
    """Without case, character by character: `?` in a glob stands for one character before and after."""
    if text.isascii():
        return text.lower()
    whole = text.casefold()
    return whole if len(whole) == len(text) else "".join(_folded(char) for char in text)


def _folded(char: str) -> str:
    for form in (char.casefold(), char.lower()):
        if len(form) == 1:
            return form
    return char


class Text:
    """One value of a message, worked out as far as patterns need it."""

    def __init__(self, value: str) -> None:
        self.plain = composed(value)

    @cached_property
    def folded(self) -> str:
        return folded(self.plain)

    @cached_property
    def octets(self) -> bytes:
        return self.plain.encode("utf-8")

    def __repr__(self) -> str:
        return f"Text of {len(self.plain)} characters"


def texts(values: Iterable[str]) -> tuple[Text, ...]:
    return tuple(Text(value) for value in values)
