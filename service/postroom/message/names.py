"""File names from messages, made safe to write on any system."""

import re
import unicodedata

_SEPARATORS = re.compile(r"[/\\]")
# Special to Windows or to shells as part of a name, and the characters that look like a separator.
_REPLACED = re.compile('[<>:"|?*\u2044\u2215\u2216\u29f5\u29f8\u29f9\ufe68\uff0f\uff3c]')
_RESERVED = re.compile(r"(?:CON|PRN|AUX|NUL|CLOCK\$|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³])", re.IGNORECASE)
_MOST_BYTES = 200
_MOST_EXTENSION = 20
_MOST_CHARACTERS = 4096


def safe_name(name: str, default: str = "attachment") -> str:
    """Give the last component of `name` as a file name: NFC, at most 200 bytes of UTF-8, and never empty.

    It has no separators nor what looks like them, no control, format (bidi) or unassigned characters, no dot
    at either end, no reserved name of Windows. What was too long keeps its extension. Safe names come back as
    they are.
    """
    return _clean(name) or _clean(default) or "attachment"


def _clean(name: str) -> str:
    components = [part for part in _SEPARATORS.split(name) if part.strip(". ")]
    name = _printable(components[-1]) if components else ""
    name = _REPLACED.sub("_", name).lstrip(". ").rstrip(". ")
    if _RESERVED.fullmatch(name.partition(".")[0].rstrip()):
        name = f"_{name}"
    return _bounded(name)


def _printable(name: str) -> str:
    if len(name) > _MOST_CHARACTERS:
        name = name[: _MOST_CHARACTERS // 2] + name[-_MOST_CHARACTERS // 2 :]
    if not name.isascii() or not name.isprintable():
        name = "".join(" " if char.isspace() else char for char in name if char.isspace() or char.isprintable())
        name = unicodedata.normalize("NFC", name)
    return " ".join(name.split())


def _bounded(name: str) -> str:
    """Shorten the stem where the whole is too long; cut between characters, never within one."""
    if len(name.encode()) <= _MOST_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    kept = len((dot + extension).encode())
    if not stem or kept > _MOST_EXTENSION:
        stem, dot, extension, kept = name, "", "", 0
    stem = stem.encode()[: _MOST_BYTES - kept].decode("utf-8", "ignore")
    return (stem + dot + extension).rstrip(". ")
