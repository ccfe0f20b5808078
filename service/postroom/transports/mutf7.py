"""Modified UTF-7, in which IMAP and Maildir++ name folders (RFC 3501 5.1.3)."""

from base64 import b64decode, b64encode
from itertools import groupby


def encode(name: str) -> str:
    """ASCII that stands for the name: `Entwürfe` is `Entw&APw-rfe`."""
    pieces = []
    for plain, run in groupby(name, lambda char: " " <= char <= "~"):
        text = "".join(run)
        if plain:
            pieces.append(text.replace("&", "&-"))
        else:
            packed = b64encode(text.encode("utf-16-be", "surrogatepass")).decode("ascii")
            pieces.append(f"&{packed.rstrip('=').replace('/', ',')}-")
    return "".join(pieces)


def decode(name: str) -> str:
    """The name that this ASCII stands for; a piece that is no modified UTF-7 stays as it is."""
    first, *rest = name.split("&")
    decoded = [first]
    for piece in rest:
        packed, dash, tail = piece.partition("-")
        decoded.append(f"{_unpacked(packed)}{tail}" if dash else f"&{piece}")
    return "".join(decoded)


def _unpacked(packed: str) -> str:
    if not packed:
        return "&"
    try:
        octets = b64decode(packed.replace(",", "/") + "=" * (-len(packed) % 4), validate=True)
        return octets.decode("utf-16-be")
    except ValueError:
        return f"&{packed}-"
