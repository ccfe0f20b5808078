"""Which addresses of the Internet Protocol are out there, and not those of this machine or the network around it."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

# RFC 6052 and its predecessor RFC 4291 §2.5.5.1: the last 32 bits are an IPv4 address.
_EMBEDDING: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))


def is_public(text: str) -> bool:
    """Whether a numeric address, a zone behind it or not, is one that anybody may be told to talk to.

    One that holds an IPv4 address (mapped, NAT64, 6to4, Teredo) is as public as that.
    """
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return _is_public(inner)
    return _is_public(address)


def _inner(address: IPv6Address) -> IPv4Address | None:
    if any(address in network for network in _EMBEDDING):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
