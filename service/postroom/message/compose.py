"""Messages of our own: the same octets for the same arguments, CRLF line ends, nothing that is not ASCII in a body."""

import binascii
import re
from base64 import encodebytes
from collections.abc import Sequence
from dataclasses import dataclass

from postroom.message.folding import encode_header

_LINE_END = re.compile(r"\r\n|\r|\n")
_LONGEST = 76  # octets of a line that goes out as it is


@dataclass(frozen=True, slots=True)
class Enclosure:
    """One attachment. `type` is a media type that may be written as it is; text is no type of it."""

    name: str
    type: str
    content: bytes


def compose(
    fields: Sequence[tuple[str, str]],
    *,
    boundary: str,
    text: str | None = None,
    html: str | None = None,
    enclosures: Sequence[Enclosure] = (),
) -> bytes:
    """A message with these fields on top: text, HTML or both as alternatives, then what is attached.

    `boundary`: letters and digits; what is put before it stands in no body. Values of fields are encoded and folded.
    """
    texts = [_text(kind, one) for kind, one in (("plain", text), ("html", html)) if one is not None]
    body = texts[0] if len(texts) == 1 else _multipart("alternative", f"=_{boundary}_a", texts)
    if enclosures:
        body = _multipart("mixed", f"=_{boundary}_m", [body, *map(_enclosed, enclosures)])
    return _fields(*fields, ("MIME-Version", "1.0")) + body


def _text(kind: str, text: str) -> bytes:
    """As it is where every line is short ASCII; else quoted-printable, which breaks no word of RFC 5321 §4.5.3.1.6."""
    lines = _LINE_END.sub("\n", text).rstrip("\n").split("\n")
    octets = "\n".join(lines).encode("utf-8", "replace") + b"\n"
    plain = octets.isascii() and all(len(line) <= _LONGEST and not _is_fragile(line) for line in lines)
    if not plain:
        octets = binascii.b2a_qp(octets, istext=True)
    head = _fields(
        ("Content-Type", f"text/{kind}; charset=utf-8"),
        ("Content-Transfer-Encoding", "7bit" if plain else "quoted-printable"),
    )
    return head + b"\r\n" + octets.replace(b"\n", b"\r\n")


def _is_fragile(line: str) -> bool:
    """White space at the end gets lost on the way, and `=_` may be a boundary."""
    return line.endswith((" ", "\t")) or "=_" in line


def _enclosed(one: Enclosure) -> bytes:
    head = _fields(("Content-Type", one.type), ("Content-Transfer-Encoding", "base64"))
    head += f"Content-Disposition: attachment;\r\n {_file_name(one.name)}\r\n".encode()
    return head + b"\r\n" + encodebytes(one.content).replace(b"\n", b"\r\n")


def _file_name(name: str) -> str:
    """RFC 2231 where it is not ASCII."""
    from urllib.parse import quote

    if name.isascii() and name.isprintable():
        return 'filename="' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    return f"filename*=utf-8''{quote(name.encode('utf-8', 'replace'), safe='')}"


def _multipart(kind: str, boundary: str, parts: Sequence[bytes]) -> bytes:
    head = _fields(("Content-Type", f'multipart/{kind}; boundary="{boundary}"'))
    inner = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), part) for part in parts)
    return b"%s\r\n%s--%s--\r\n" % (head, inner, boundary.encode())


def _fields(*fields: tuple[str, str]) -> bytes:
    return b"".join(encode_header(name, value, b"\r\n") for name, value in fields)
