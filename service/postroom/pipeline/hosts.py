"""Hosts that are trusted: by name, by a glob over names, by address or by network."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network

from postroom.pipeline.globs import Glob


class Hosts:
    """`name in hosts`, of names in lower case without a final dot, and of addresses without brackets."""

    def __init__(self, named: Iterable[str]) -> None:
        known = [one.lower().rstrip(".") for one in named]
        self._names = frozenset(known)
        self._globs = [Glob(one) for one in known if is_glob(one)]
        self._networks = [ip_network(one, strict=False) for one in known if "/" in one]

    def __contains__(self, host: str) -> bool:
        if host in self._names or any(glob.match(host) for glob in self._globs):
            return True
        if not self._networks:
            return False
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def is_glob(text: str) -> bool:
    return "*" in text or "?" in text


def check(text: str) -> str:
    """One of `trust: hosts`. Raises ValueError."""
    if "/" in text:
        try:
            ip_network(text, strict=False)
        except ValueError:
            raise ValueError("must be a name, also with `*`, an address, or a network such as 10.0.0.0/8") from None
    elif not any(map(str.isalnum, text)):
        raise ValueError("must name hosts of yours: this would believe everybody")
    if is_glob(text):
        Glob(text)
    return text


@lru_cache(maxsize=8)
def hosts(named: tuple[str, ...]) -> Hosts:
    """The same for the same names: messages ask for those of the settings."""
    return Hosts(named)
