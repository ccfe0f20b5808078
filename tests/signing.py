"""Domains that sign and seal: by dkimpy, and by hand where a signature is to be odd."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

FIELDS = (b"from", b"to", b"subject", b"date", b"message-id")


@cache
def rsa(bits: int = 1024) -> RSAPrivateKey:
    return generate_private_key(65537, bits)


@cache
def ed25519() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@dataclass(frozen=True)
class Domain:
    """A domain with the key of one selector."""

    name: str
    key: RSAPrivateKey | Ed25519PrivateKey
    selector: str = "s1"

    @property
    def at(self) -> str:
        return f"{self.selector}._domainkey.{self.name}"

    @property
    def record(self) -> str:
        """What its DNS says."""
        if isinstance(self.key, RSAPrivateKey):
            kind, form = "rsa", PublicFormat.SubjectPublicKeyInfo
            raw = self.key.public_key().public_bytes(Encoding.DER, form)
        else:
            kind, raw = "ed25519", self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"v=DKIM1; k={kind}; p={base64.b64encode(raw).decode()}"

    @property
    def algorithm(self) -> str:
        return "rsa-sha256" if isinstance(self.key, RSAPrivateKey) else "ed25519-sha256"

    def sign(
        self, message: bytes, forms: str = "relaxed/relaxed", *, length: bool = False, fields: Sequence[bytes] = FIELDS
    ) -> bytes:
        """The message with dkimpy's signature on top."""
        header, _, body = forms.encode().partition(b"/")
        signature = dkim.sign(
            message, self.selector.encode(), self.name.encode(), self._private(), canonicalize=(header, body),
            signature_algorithm=self.algorithm.encode(), include_headers=fields, length=length,
        )  # fmt: skip
        return bytes(signature + message)

    def seal(self, message: bytes, results: str = "dkim=none") -> bytes:
        """The message with dkimpy's three fields of ARC on top, and the results that they are made from."""
        found = f"Authentication-Results: {self.name}; {results}\r\n".encode() + message
        fields = dkim.arc_sign(
            found, self.selector.encode(), self.name.encode(), self._private(), self.name.encode(), include_headers=FIELDS,
            signature_algorithm=self.algorithm.encode(),
        )  # fmt: skip
        assert fields, "dkimpy refused to seal"
        return b"".join(fields) + message

    def by_hand(
        self, tags: Mapping[str, str], signed: Sequence[bytes], body: bytes, name: str = "DKIM-Signature"
    ) -> bytes:
        """A field with these tags, where `b` is missing: `signed` are the fields as canonicalized, `body` likewise."""
        told = {"v": "1", "a": self.algorithm, "c": "relaxed/relaxed", "d": self.name, "s": self.selector, "h": "from"}
        told |= {"bh": base64.b64encode(hashlib.sha256(body).digest()).decode(), **tags}
        text = "; ".join(f"{tag}={value}" for tag, value in told.items() if value != "absent")
        own = f"{name.lower()}:{text}; b=".encode()
        return f"{name}: {text}; b={self.signature(b''.join(signed) + own)}\r\n".encode()

    def signature(self, text: bytes) -> str:
        if isinstance(self.key, RSAPrivateKey):
            made = self.key.sign(text, PKCS1v15(), SHA256())
        else:
            made = self.key.sign(hashlib.sha256(text).digest())
        return base64.b64encode(made).decode()

    def _private(self) -> bytes:
        if isinstance(self.key, RSAPrivateKey):
            return self.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        return base64.b64encode(self.key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
