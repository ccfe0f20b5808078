"""Macros in SPF records (RFC 7208 §7)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import quote

from postroom.authentication.spf.broken import Broken

LONGEST: Final = 253  # octets of a name
_PIECE: Final = re.compile(r"%\{([slodiphv])(\d{0,3})(r?)([.\-+,/_=]*+)\}|%([%_\-])|([!-$&-~]++)", re.IGNORECASE)
_END: Final = re.compile(r"(?:\.(?=[^.]*[a-z-])[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.?|%\{[^{}]*\})$", re.IGNORECASE)
_LITERALS: Final = {"%": "%", "_": " ", "-": "%20"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What macros stand for. `name`: the client's validated name, asked for only where `p` stands."""

    sender: str
    helo: str
    domain: str
    address: IPv4Address | IPv6Address
    name: Callable[[], str]

    def value(self, letter: str) -> str:
        local, _, domain = self.sender.rpartition("@")
        match letter:
            case "s":
                return self.sender
            case "l":
                return local
            case "o":
                return domain
            case "d":
                return self.domain
            case "i":
                return dotted(self.address)
            case "p":
                return self.name()
            case "h":
                return self.helo
        return "in-addr" if self.address.version == 4 else "ip6"


def check(spec: str) -> str:
    """A domain-spec as it stands, where it can be expanded. Raises Broken."""
    if not _END.search(spec):
        raise Broken("a name in the record has no end")
    syntax(spec)
    return spec


def expand(spec: str, context: Context) -> str:
    """The name that a checked domain-spec means, without its final dot; too long a name loses labels in front."""
    text = "".join(_value(piece, context) for piece in _pieces(spec)).rstrip(".").lower()
    if len(text) <= LONGEST:
        return text
    end = text[-LONGEST:]
    return end if text[-LONGEST - 1] == "." else end.partition(".")[2]


def dotted(address: IPv4Address | IPv6Address) -> str:
    """An IPv4 address as it is, an IPv6 one by its nibbles."""
    return str(address) if address.version == 4 else ".".join(f"{int(address):032x}")


def syntax(spec: str) -> None:
    """Raises Broken where macros cannot be read."""
    _pieces(spec)


def _pieces(spec: str) -> list[re.Match[str]]:
    made, at = [], 0
    while at < len(spec):
        piece = _PIECE.match(spec, at)
        if piece is None or (piece[2] and int(piece[2]) == 0):
            raise Broken("a macro in the record cannot be read")
        made.append(piece)
        at = piece.end()
    return made


def _value(piece: re.Match[str], context: Context) -> str:
    letter, count, backwards, marks, escaped, plain = piece.groups()
    if letter is None:
        return _LITERALS[escaped] if escaped else str(plain)
    value = context.value(letter.lower())
    parts = re.split(f"[{re.escape(marks or '.')}]", value)
    parts = parts[::-1] if backwards else parts
    text = ".".join(parts[-int(count) :] if count else parts)
    return quote(text, safe="-._~") if letter.isupper() else text
