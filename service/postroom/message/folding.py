"""Header fields as bytes: encoded words (RFC 2047) and folding (RFC 5322 §2.2.3); no value ends a line."""

import binascii
import re
from collections.abc import Iterator

from postroom.message.address import Address, parse_addresses

_NAME = re.compile(r"[!-9;-~]+")
_ADDRESSES = re.compile(
    r"(?:resent-)?(?:from|sender|to|cc|bcc|reply-to)|return-path|errors-to|mail-followup-to|mail-reply-to"
    r"|disposition-notification-to|delivered-to",
    re.IGNORECASE,
)
_BREAKING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_TOKEN = re.compile(r" *[^ ]+")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_LINE = 78
_LONGEST_LINE = 998
_LONGEST_WORD = 75
_OVERHEAD = len("=?utf-8?q??=")
_SHORTEST_WORD = 24


def encode_header(name: str, value: str, eol: bytes) -> bytes:
    """Give a whole field with `eol` at its end: lines of 78 octets where they can be broken, never over 998.

    Words of ASCII stay readable, others become encoded words of UTF-8, each whole by itself (RFC 2047 §5).
    In fields that hold addresses the addresses stay outside of them; comments and the names of groups are
    dropped there where anything must be encoded. Control characters become a space. ValueError where `name`
    cannot be a field's name.
    """
    if not _NAME.fullmatch(name) or len(name) > _LINE - 2:
        raise ValueError("not a header field name")
    value = _BREAKING.sub(" ", value).strip()
    pieces = _address_pieces(value) if _ADDRESSES.fullmatch(name) else None
    if pieces is None:
        pieces = _text_pieces(value, len(name) + 1)
    return _folded(name, pieces, eol) + eol


def _text_pieces(value: str, column: int) -> list[str]:
    """Split into what may stand on a line of its own, each with the white space before it."""
    pieces: list[str] = []
    run = ""
    for token in _TOKEN.findall(value):
        if _must_be_encoded(token):
            run += token
            continue
        pieces += _words_after_space(run, column if not pieces else 0)
        run = ""
        pieces.append(token)
    return [*pieces, *_words_after_space(run, column if not pieces else 0)]


def _must_be_encoded(token: str) -> bool:
    return not token.isascii() or "=?" in token or len(token) > _LONGEST_LINE - _LINE


def _words_after_space(run: str, column: int) -> Iterator[str]:
    """Encode a run of words; the space before the run stays outside, that within goes into the words."""
    if run:
        content = run.lstrip(" ")
        spaces = len(run) - len(content)
        if spaces > _SHORTEST_WORD:
            content, spaces = run[1:], 1
        space = " " * spaces or " "
        for word in _encoded_words(content, column):
            yield space + word
            space = " "


def _encoded_words(text: str, column: int) -> Iterator[str]:
    """Yield the encoded words of `text`, the first one short enough to follow what stands before `column`."""
    spelled = {char: _q(char) for char in set(text)}
    # Base64 hides the ASCII letters too: only where the other spelling would be more than twice as long.
    quoted = sum(len(spelled[char]) for char in text) <= (len(text.encode()) + 2) // 3 * 8
    room = _LINE - 1 - column
    most = min(_LONGEST_WORD, room if room >= _SHORTEST_WORD else _LONGEST_WORD) - _OVERHEAD
    chunk: list[str] = []
    size = 0
    for char in text:
        cost = len(spelled[char]) if quoted else len(char.encode())
        if chunk and size + cost > (most if quoted else most // 4 * 3):
            yield _word(chunk, quoted)
            chunk, size, most = [], 0, _LONGEST_WORD - _OVERHEAD
        chunk.append(spelled[char] if quoted else char)
        size += cost
    yield _word(chunk, quoted)


def _q(char: str) -> str:
    if char == " ":
        return "_"
    return "".join(chr(octet) if octet in _Q_SAFE else f"={octet:02X}" for octet in char.encode())


def _word(chunk: list[str], quoted: bool) -> str:
    text = "".join(chunk)
    if quoted:
        return f"=?utf-8?q?{text}?="
    return f"=?utf-8?b?{binascii.b2a_base64(text.encode(), newline=False).decode('ascii')}?="


def _address_pieces(value: str) -> list[str] | None:
    """Spell addresses one by one; None where the value can stay as it is, or holds no usable address."""
    if value.isascii():
        return None
    addresses = parse_addresses(value, str)
    if not any(address.spec for address in addresses):
        return None
    pieces: list[str] = []
    for address in addresses:
        if pieces:
            pieces[-1] += ","
        pieces += _spelled(address)
    return None if any(len(piece.encode()) > _LONGEST_LINE - _LINE for piece in pieces) else pieces


def _spelled(address: Address) -> list[str]:
    name, spec = address.name, address.spec
    if not name:
        return [f" {spec}"]
    if not name.isascii() or "=?" in name:
        phrase = [f" {word}" for word in _encoded_words(name, _LINE)]
    elif _ATOMS.fullmatch(name):
        phrase = [f" {atom}" for atom in name.split(" ")]
    else:
        phrase = _TOKEN.findall(' "' + re.sub(r'(["\\])', r"\\\1", name) + '"')
    return [*phrase, f" <{spec}>"] if spec else phrase


def _folded(name: str, pieces: list[str], eol: bytes) -> bytes:
    lines: list[str] = []
    line = f"{name}:"
    for index, piece in enumerate(pieces):
        if not piece.startswith(" "):
            piece = f" {piece}"
        size = len(piece.encode())
        # A first word too long for any line stays beside the name: fewer readers stumble over it there.
        breaks = len(line.encode()) + size > _LINE and (index > 0 or size <= _LINE)
        if breaks:
            lines.append(line)
            line = ""
        line += piece
    lines.append(line)
    return eol.join(text.encode() for text in lines)
