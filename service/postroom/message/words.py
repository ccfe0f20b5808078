"""RFC 2047 encoded words and raw UTF-8 (RFC 6532) in headers, to text."""

import binascii
import re

from postroom.message import charset
from postroom.message.defects import Defect, note

BLANKS = " \t\r\n\v\f"
"""White space in ASCII. `str.strip` by itself takes what may be the last octet of a character in UTF-8, too."""

_START = re.compile(rb"=\?([^?\s]{1,64})\?([bBqQ])\?")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_STRAY = re.compile(rb"=(?![0-9A-Fa-f]{2})")
_UTF_8 = (b"utf-8", b"UTF-8")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")


def decode_words(value: bytes | str, found: set[Defect] | None = None) -> str:
    """Decode an unfolded header value; adds to `found` what was wrong with it. Never raises, linear in its
    length.

    Blanks between two encoded words vanish (RFC 2047 §6.2). Adjacent words of one charset are joined as bytes
    first, since encoders split characters between them. Control characters, line breaks above all, become
    spaces: what was decoded can be written into a log line or another header.
    """
    if isinstance(value, str):
        text = _words(value.encode("utf-8", "replace"), found) if "=?" in value else value
    elif b"=?" in value:
        text = _words(value, found)
    else:
        text = value.decode("ascii") if value.isascii() else charset.decode(value)
    return without_controls(text)


def without_controls(text: str) -> str:
    """Put a space in place of each control character and line break but the tab."""
    if text.isprintable() or text.replace("\t", "").isprintable():
        return text
    return _CONTROLS.sub(" ", text)


def _words(raw: bytes, found: set[Defect] | None) -> str:
    text: list[str] = []
    pending, pending_label = b"", b""
    position = 0
    while match := _START.search(raw, position):
        end = raw.find(b"?=", match.end())
        if end < 0:
            note(found, Defect.BAD_ENCODED_WORD)
            break
        label, encoding = match.groups()
        payload = raw[match.end() : end]
        content = _base64(payload, found) if encoding in b"bB" else _quoted(payload, found)
        between = raw[position : match.start()]
        adjacent = position > 0 and (not between or between.isspace())
        if adjacent and label == pending_label:
            pending += content
        else:
            if pending:
                text.append(_decoded(pending, pending_label, found))
            if between and not adjacent:
                text.append(charset.decode(between))
            pending, pending_label = content, label
        position = end + 2
    if pending:
        text.append(_decoded(pending, pending_label, found))
    if position < len(raw):
        text.append(charset.decode(raw[position:]))
    return "".join(text)


def _decoded(content: bytes, label: bytes, found: set[Defect] | None) -> str:
    if label in _UTF_8:
        try:
            return content.decode("utf-8").removeprefix("\ufeff")
        except UnicodeDecodeError:
            pass
    # RFC 2231 §5 lets a language follow the charset: `=?utf-8*en?…`.
    return charset.decode(content, label.partition(b"*")[0].decode("latin-1").lower(), found)


def _base64(payload: bytes, found: set[Defect] | None) -> bytes:
    try:
        return binascii.a2b_base64(payload, strict_mode=True)
    except binascii.Error:
        clean = _NOT_BASE64.sub(b"", payload)
        if len(payload.rstrip(b"=")) != len(clean) or len(clean) % 4 == 1:
            note(found, Defect.BAD_ENCODED_WORD)
        whole = clean[:-1] if len(clean) % 4 == 1 else clean
        return binascii.a2b_base64(whole + b"==")


def _quoted(payload: bytes, found: set[Defect] | None) -> bytes:
    if _STRAY.search(payload):
        note(found, Defect.BAD_ENCODED_WORD)
        payload = _STRAY.sub(b"=3D", payload)
    return binascii.a2b_qp(payload, header=True)
