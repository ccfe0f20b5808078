"""What is said once after the login: who we are, and how names are written."""

from typing import Protocol

from postroom import __version__
from postroom.sources.imap.names import Naming
from postroom.sources.imap.responses import Data, Reply
from postroom.sources.imap.values import Value

_ID = f'("name" "Postroom" "version" "{__version__}")'


class Wire(Protocol):
    """What is needed of a connection."""

    async def call(self, name: str, *arguments: str) -> Reply: ...
    def has(self, *names: str) -> bool: ...


async def introduced(wire: Wire) -> Naming:
    """Give our name (RFC 2971; some servers refuse programs without one), enable UTF-8 names, learn the namespace."""
    if wire.has("ID"):
        await wire.call("ID", _ID)
    utf8 = await _enabled(wire)
    prefix, delimiter = await _namespace(wire)
    return Naming(prefix=prefix, delimiter=delimiter, utf8=utf8)


async def _enabled(wire: Wire) -> bool:
    if not wire.has("ENABLE") or not (wire.has("UTF8=ACCEPT") or wire.has("UTF8=ONLY")):
        return False
    reply = await wire.call("ENABLE", "UTF8=ACCEPT")
    told = [value for data in reply.named("ENABLED") for value in data.values()]
    return any(isinstance(value, bytes) and value.upper() == b"UTF8=ACCEPT" for value in told)


async def _namespace(wire: Wire) -> tuple[str, str | None]:
    """Prefix and delimiter of the personal namespace; without NAMESPACE an empty LIST tells the delimiter."""
    if wire.has("NAMESPACE"):
        for data in (await wire.call("NAMESPACE")).named("NAMESPACE"):
            if (found := personal(data)) is not None:
                return found
    for data in (await wire.call("LIST", '""', '""')).named("LIST"):
        values = data.values()
        if len(values) >= 2:
            return "", _delimiter(values[1])
    return "", "/"


def personal(data: Data) -> tuple[str, str | None] | None:
    """The first personal namespace of an answer to NAMESPACE (RFC 2342)."""
    match data.values():
        case [[[bytes(prefix), delimiter, *_], *_], *_]:
            return prefix.decode("utf-8", "replace"), _delimiter(delimiter)
        case _:
            return None


def _delimiter(value: Value) -> str | None:
    return value.decode("ascii", "replace") if isinstance(value, bytes) and len(value) == 1 else None
