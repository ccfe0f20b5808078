"""Arguments of MAIL and RCPT (RFC 5321 4.1.1.2, 4.1.1.3; RFC 1870, 6152, 6531)."""

import re
from dataclasses import dataclass
from typing import Final

from postroom.message.address import Address, parse_address
from postroom.sources.listener import replies

# A quoted local part may hold `>`. One space behind the colon is wrong, and common.
_PATH: Final = re.compile(rb' ?(<(?:[^<>"\\\x00-\x1f\x7f]|"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*+")*+>)(?: +(.*))?')
_SIZE: Final = re.compile(rb"[0-9]{1,20}")
_UTF8: Final = b"SMTPUTF8"


class Unacceptable(Exception):  # noqa: N818 - reads as a verdict where it is raised
    """A command is refused with this reply."""

    def __init__(self, reply: bytes) -> None:
        super().__init__()
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Sender:
    """What MAIL said. `address`: "" is the null reverse-path. `size`: octets as the client estimates them."""

    address: str
    size: int
    utf8: bool


def sender(argument: bytes) -> Sender:
    """Read what follows MAIL. Raises Unacceptable."""
    path, parameters = _split(argument, b"FROM:")
    size, utf8 = 0, False
    for name, value in parameters.items():
        match name:
            case b"SIZE" if value is not None and _SIZE.fullmatch(value):
                size = int(value)
            case b"BODY" if value is not None and value.upper() in (b"7BIT", b"8BITMIME"):
                pass
            case b"SMTPUTF8" if value is None:
                utf8 = True
            case b"SIZE" | b"BODY" | b"SMTPUTF8":
                raise Unacceptable(replies.SYNTAX)
            case _:
                raise Unacceptable(replies.UNKNOWN_PARAMETER)
    if path == b"<>":
        return Sender("", size, utf8)
    return Sender(_address(path, replies.BAD_SENDER, utf8=utf8).spec, size, utf8)


def recipient(argument: bytes, *, utf8: bool) -> Address:
    """Read what follows RCPT. `utf8`: the transaction speaks SMTPUTF8. Raises Unacceptable."""
    path, parameters = _split(argument, b"TO:")
    if parameters:
        raise Unacceptable(replies.UNKNOWN_PARAMETER)
    return _address(path, replies.BAD_RECIPIENT, utf8=utf8)


def _split(argument: bytes, word: bytes) -> tuple[bytes, dict[bytes, bytes | None]]:
    found = _PATH.fullmatch(argument, len(word)) if argument[: len(word)].upper() == word else None
    if found is None:
        raise Unacceptable(replies.SYNTAX)
    parameters: dict[bytes, bytes | None] = {}
    for parameter in (found[2] or b"").split():
        name, equals, value = parameter.partition(b"=")
        if name.upper() in parameters:
            raise Unacceptable(replies.SYNTAX)
        parameters[name.upper()] = value if equals else None
    return found[1], parameters


def _address(path: bytes, wrong: bytes, *, utf8: bool) -> Address:
    if not utf8 and not path.isascii():
        raise Unacceptable(replies.NOT_ASCII)
    try:
        address = parse_address(path.decode())
    except UnicodeDecodeError:
        address = None
    if address is None:
        raise Unacceptable(wrong)
    return address
