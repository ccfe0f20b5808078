"""Signatures of the Standard Webhooks specification."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

from postroom.errors import Temporary

PREFIX: Final = "whsec_"


def signed(secret: str, key: str, at: str, chunks: Iterable[bytes | memoryview]) -> str:
    """The signature of one delivery: `v1,` and base64 of the HMAC-SHA256 of id, time and body."""
    made = hmac.new(_octets(secret), f"{key}.{at}.".encode(), hashlib.sha256)
    for chunk in chunks:
        made.update(chunk)
    return f"v1,{base64.b64encode(made.digest()).decode('ascii')}"


def _octets(secret: str) -> bytes:
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise Temporary(f"the secret that signs begins with {PREFIX}, but the rest is no base64") from None
