"""Short names out of hashes: of messages and effects, the same whenever they are made again."""

import hashlib
from typing import Final

_DIGITS: Final = "abcdefghijklmnopqrstuvwxyz234567"  # RFC 4648 6
_PAIRS: Final = [first + second for first in _DIGITS for second in _DIGITS]


def short_hash(*parts: str) -> str:
    """130 bits of the SHA-256 of these texts, as 26 characters of base32."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).digest()
    number = int.from_bytes(digest[:17]) >> 6
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -10, -10)])
