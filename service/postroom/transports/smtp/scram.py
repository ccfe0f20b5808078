"""SCRAM-SHA-256 from the client's side (RFC 5802, RFC 7677), without channel binding."""

import base64
import binascii
import hashlib
import hmac
import secrets
import unicodedata
from typing import Final

from postroom.transports.smtp.trouble import Trouble

ITERATIONS: Final = range(4096, 1_000_001)  # fewer are unsafe, more are an attack


class Scram:
    """One exchange. `nonce` is for tests."""

    def __init__(self, user: str, password: str, nonce: str = "") -> None:
        self._password = unicodedata.normalize("NFKC", password).encode()
        self._nonce = nonce or secrets.token_urlsafe(24)
        self._bare = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={self._nonce}"
        self._signature = b""

    @property
    def first(self) -> str:
        """The client's first message."""
        return f"n,,{self._bare}"

    def final(self, challenge: str) -> str:
        """The client's answer to the server's first message. Raises Trouble where that is none."""
        values = _values(challenge)
        nonce, count = values.get("r", ""), values.get("i", "")
        try:
            salt = base64.b64decode(values.get("s", ""), validate=True)
        except binascii.Error:
            salt = b""
        if not nonce.startswith(self._nonce) or not salt or not count.isdecimal() or len(count) > 9:
            raise Trouble("the server does not know how to log in with SCRAM")
        if int(count) not in ITERATIONS:
            raise Trouble(f"the server wants SCRAM with {count} iterations")
        bare = f"c=biws,r={nonce}"
        salted = hashlib.pbkdf2_hmac("sha256", self._password, salt, int(count))
        key = _hmac(salted, b"Client Key")
        text = f"{self._bare},{challenge},{bare}".encode()
        self._signature = _hmac(_hmac(salted, b"Server Key"), text)
        proof = bytes(a ^ b for a, b in zip(key, _hmac(hashlib.sha256(key).digest(), text), strict=True))
        return f"{bare},p={base64.b64encode(proof).decode()}"

    def proved_by(self, message: str) -> bool:
        """Whether the server's last message shows that it knows the password, too."""
        expected = base64.b64encode(self._signature).decode()
        return hmac.compare_digest(_values(message).get("v", "").encode(), expected.encode())


def _values(message: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in message.split(",") if "=" in part)


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, hashlib.sha256)
