"""RFC 2047 encoded words and raw UTF-8 (RFC 6532) in headers, to text."""

import binascii
import re
from itertools import groupby
from operator import itemgetter

from postroom.message import charset
from postroom.message.defects import Defect, note

BLANKS = " \t\r\n\v\f"
"""White space in ASCII. `str.strip` by itself takes what may be the last octet of a character in UTF-8, too."""

_START = re.compile(rb"=\?([^?\s]{1,64})\?([bBqQ])\?")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]+")
_WHOLE_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?+")
_STRAY = re.compile(rb"=(?![0-9A-Fa-f]{2})")
_UTF_8 = (b"utf-8", b"UTF-8")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")

_Word = tuple[bytes, bytes, bytes]
"""Charset, encoding in lower case, payload."""
_ENCODING = itemgetter(1)


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
    adjacent: list[_Word] = []
    position = 0
    while match := _START.search(raw, position):
        end = raw.find(b"?=", match.end())
        if end < 0:
            note(found, Defect.BAD_ENCODED_WORD)
            break
        word = match[1], match[2].lower(), raw[match.end() : end]
        between = raw[position : match.start()]
        touches = position > 0 and (not between or between.isspace())
        if adjacent and not (touches and adjacent[0][0] == word[0]):
            text.append(_joined(adjacent, found))
            adjacent.clear()
        if between and not touches:
            text.append(charset.decode(between))
        adjacent.append(word)
        position = end + 2
    if adjacent:
        text.append(_joined(adjacent, found))
    if position < len(raw):
        text.append(charset.decode(raw[position:]))
    return "".join(text)


def _joined(words: list[_Word], found: set[Defect] | None) -> str:
    """Decode adjacent words of one charset."""
    content = []
    for encoding, same in groupby(words, key=_ENCODING):
        payloads = [payload for _, _, payload in same]
        content.append(_base64_words(payloads, found) if encoding == b"b" else _quoted(b"".join(payloads), found))
    return _decoded(b"".join(content), words[0][0], found)


def _base64_words(payloads: list[bytes], found: set[Defect] | None) -> bytes:
    """Decode each, but all as one where some programs cut base64 anywhere: only together they are whole, or one has a
    length that no base64 has.
    """
    joined = b"".join(payloads)
    rests = {len(payload) % 4 for payload in payloads[:-1]}
    if 1 in rests or (rests - {0} and _WHOLE_BASE64.fullmatch(joined)):
        note(found, Defect.BAD_ENCODED_WORD)
        payloads = [joined]
    return b"".join(_base64(payload, found) for payload in payloads)


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
