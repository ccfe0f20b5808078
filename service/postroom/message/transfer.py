"""Content-Transfer-Encoding: base64, quoted-printable and uuencode to bytes, whole or in pieces; never an
exception.
"""

import binascii
import re
from collections.abc import Iterator

from postroom.message.buffer import Raw, piece
from postroom.message.defects import Defect, note
from postroom.message.uu import decode_lines

_BLANKS = b"\r\n\t "
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(byte for byte in range(256) if byte not in _BASE64)
_PADDING = re.compile(rb"=[= \t]*+([=\s]*+)")
_PADDED_GROUP = re.compile(rb"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)")
_PADDED_GROUPS = re.compile(rb"(?:" + _PADDED_GROUP.pattern + rb"\s*+)++")
_WHOLE_LINE = re.compile(rb"(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?+[ \t]*+(?:[\r\n]|\Z)")
_SOFT_WITH_BLANKS = re.compile(rb"=[ \t]++(?=\r?\n|\Z)")
_STRAY = re.compile(rb"=(?![0-9A-Fa-f]{2}|\r?\n|\Z)")
_MEANT = re.compile(rb"=3D(?=[0-9A-Fa-f]{2}|\r?\n|\Z)")
_CUT_ESCAPE = re.compile(rb"=(?:[0-9A-Fa-f]|[ \t]*\r?)")
_UU = frozenset(("x-uuencode", "x-uue", "uuencode", "uue"))
_IDENTITY = frozenset(("", "7bit", "8bit", "binary", "7-bit", "8-bit"))
# Encoded bytes read at a time: a few of them in flight stay far below the memory that a caller expects of a
# stream.
_STEP = 256 * 1024


def decodes(encoding: str) -> bool:
    """Whether content in that encoding differs from the bytes in the message."""
    return encoding in ("base64", "quoted-printable") or encoding in _UU


def known(encoding: str) -> bool:
    """Whether the encoding is one of RFC 2045 §6.1, or an uuencode of before."""
    return encoding in _IDENTITY or decodes(encoding)


def decode(raw: Raw, start: int, end: int, encoding: str, found: set[Defect] | None = None) -> bytes:
    """Decode the range as a whole; an unknown encoding gives the bytes as they are."""
    if encoding == "base64":
        return _whole_base64(piece(raw, start, end), found)
    if encoding == "quoted-printable":
        return _quoted_printable(piece(raw, start, end), found)
    if encoding in _UU:
        return decode_lines(piece(raw, start, end), found)
    return piece(raw, start, end)


def stream(raw: Raw, start: int, end: int, encoding: str, found: set[Defect] | None = None) -> Iterator[bytes]:
    """Decode the range in pieces of no fixed size; joined they are what `decode` gives."""
    if encoding == "base64":
        yield from _Base64(found).pieces(raw, start, end)
    elif encoding == "quoted-printable":
        yield from _quoted_pieces(raw, start, end, found)
    elif encoding in _UU:
        yield decode_lines(piece(raw, start, end), found)
    else:
        for first in range(start, end, _STEP):
            yield piece(raw, first, min(first + _STEP, end))


def _whole_base64(encoded: bytes, found: set[Defect] | None) -> bytes:
    """Decode at once where nothing is odd."""
    try:
        return binascii.a2b_base64(encoded.translate(None, _BLANKS), strict_mode=True)
    except binascii.Error:
        return b"".join(_Base64(found).pieces(encoded, 0, len(encoded)))


class _Base64:
    """A decoder that keeps what does not fill four characters for the next piece.

    Padding ends a group, not always the content: what encoders joined piece by piece is read on, where `binascii`
    stops. The footer that a mailing list put below is not: no line of it is base64 and nothing else.
    """

    def __init__(self, found: set[Defect] | None) -> None:
        self._found = found
        self._rest = b""

    def pieces(self, raw: Raw, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            stop = min(start + _STEP, end)
            encoded = piece(raw, start, stop)
            decoded: list[bytes] = []
            position = 0
            while (padding := encoded.find(b"=", position)) >= 0:
                decoded += self._decoded(encoded[position:padding]), self._ended()
                position = self._after_padding(raw, start + padding, end) - start
                if run := _PADDED_GROUPS.match(encoded, max(position, 0)):
                    groups = run[0].rstrip()
                    decoded += map(binascii.a2b_base64, _PADDED_GROUP.findall(groups))
                    position = self._after_padding(raw, start + run.start() + len(groups) - 1, end) - start
            decoded.append(self._decoded(encoded[position:]))
            yield b"".join(decoded)
            start = max(stop, start + position)
        if self._rest:
            note(self._found, Defect.BAD_BASE64)
            yield self._ended()

    def _decoded(self, encoded: bytes) -> bytes:
        encoded = encoded.translate(None, _BLANKS)
        clean = encoded.translate(None, _NOT_BASE64)
        if len(clean) != len(encoded):
            note(self._found, Defect.BAD_BASE64)
        clean = self._rest + clean if self._rest else clean
        whole = len(clean) & ~3
        self._rest = clean[whole:]
        return binascii.a2b_base64(clean[:whole])

    def _ended(self) -> bytes:
        """Decode what is left before padding or the end."""
        rest, self._rest = self._rest, b""
        if len(rest) == 1:
            note(self._found, Defect.BAD_BASE64)
            return b""
        return binascii.a2b_base64(rest + b"==") if rest else b""

    def _after_padding(self, raw: Raw, padding: int, end: int) -> int:
        """Give where to read on after padding; the end where what follows is something else."""
        match = _PADDING.match(raw, padding, end)
        assert match is not None
        if match.end() == end:
            return end
        note(self._found, Defect.BAD_BASE64)
        if match[1] and not _WHOLE_LINE.match(raw, match.end(), end):
            return end
        return match.end()


def _quoted_pieces(raw: Raw, start: int, end: int, found: set[Defect] | None) -> Iterator[bytes]:
    """Decode up to the last line end of each step, and where there is none, not within an escape."""
    while start < end:
        encoded = piece(raw, start, min(start + _STEP, end))
        if start + len(encoded) < end:
            cut = encoded.rfind(b"\n") + 1
            escape = encoded.rfind(b"=")
            if not cut and escape > 0 and _CUT_ESCAPE.fullmatch(encoded, escape):
                cut = escape
            encoded = encoded[: cut or len(encoded)]
        yield _quoted_printable(encoded, found)
        start += len(encoded)


def _quoted_printable(encoded: bytes, found: set[Defect] | None) -> bytes:
    """Decode; blanks at line ends stay, since signature separators (`-- `) need them and transports keep them
    today.

    `binascii` reads malformed escapes in ways of its own (it swallows text after `=` and a bare CR, and one
    of two equals signs), so those are mended first: a stray `=` stands for itself.
    """
    if _STRAY.search(encoded):
        encoded = _SOFT_WITH_BLANKS.sub(b"=", encoded)
        signs = encoded.count(b"=")
        # Where there are many, it is the fewest steps to escape all and to put back those that mean something.
        encoded, meant = _MEANT.subn(b"=", encoded.replace(b"=", b"=3D"))
        if meant < signs:
            note(found, Defect.BAD_QUOTED_PRINTABLE)
    return binascii.a2b_qp(encoded)
