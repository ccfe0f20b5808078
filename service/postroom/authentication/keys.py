"""Public keys in the DNS, and what they say to a signature (RFC 6376 §3.6, RFC 8301, RFC 8463)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from postroom.authentication import tags
from postroom.authentication.bounds import Bounded
from postroom.authentication.tags import Malformed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

Algorithm = Literal["rsa-sha256", "ed25519-sha256"]
RECORDS: Final = 4  # of one name that are read
SHORTEST, LONGEST = 1024, 8192  # bits of an RSA key
_KINDS: Final[Mapping[Algorithm, str]] = {"rsa-sha256": "rsa", "ed25519-sha256": "ed25519"}


class Refused(Exception):  # noqa: N818 - reads as a verdict where it is raised
    """A key or signature that is sound as far as anyone looked, but not accepted here."""


@dataclass(frozen=True)
class Key:
    """A key with what its record says. `testing`: failures are to count as if there were no signature; `exact`: it
    signs for its domain only, not for those below."""

    public: "RSAPublicKey | Ed25519PublicKey"
    bits: int
    testing: bool = False
    exact: bool = False

    def signed(self, text: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over the SHA-256 of `text`."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            if isinstance(self.public, RSAPublicKey):
                self.public.verify(signature, text, PKCS1v15(), SHA256())
            else:
                self.public.verify(signature, hashlib.sha256(text).digest())
        except (InvalidSignature, ValueError):
            return False
        return True


def look_up(selector: str, domain: str, algorithm: Algorithm, resolver: Bounded) -> Key:
    """The key of a signature. Raises Malformed where there is none that could have made it, Refused, Temporary."""
    found = resolver.texts(f"{selector}._domainkey.{domain}").records
    if not found:
        raise Malformed("there is no key")
    wrong: Malformed | None = None
    for record in found[:RECORDS]:
        try:
            return read(record.decode("latin-1"), algorithm)
        except Malformed as error:
            wrong = wrong or error
    assert wrong is not None
    raise wrong


def read(record: str, algorithm: Algorithm) -> Key:
    """A record. Raises Malformed and Refused."""
    told = tags.parse(record)
    if told.get("v", "DKIM1") != "DKIM1" or ("v" in told and next(iter(told)) != "v"):
        raise Malformed("the key is of an unknown version")
    if "p" not in told:
        raise Malformed("the record holds no key")
    if not told["p"]:
        raise Malformed("the key was revoked")
    if told.get("k", "rsa").lower() != _KINDS[algorithm]:
        raise Malformed("the key is of another kind")
    if "sha256" not in tags.words(told, "h", "sha256"):
        raise Malformed("the key is for other hashes")
    if not {"*", "email"} & set(tags.words(told, "s", "*")):
        raise Malformed("the key is not for mail")
    flags = tags.words(told, "t")
    public, bits = _rsa(told) if algorithm == "rsa-sha256" else _ed25519(told)
    return Key(public, bits, testing="y" in flags, exact="s" in flags)


def _rsa(told: Mapping[str, str]) -> "tuple[RSAPublicKey, int]":
    """A SubjectPublicKeyInfo, or a bare RSAPublicKey, as RFC 6376 first had it."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    raw = tags.octets(told, "p")
    if len(raw) < SHORTEST // 8:
        raise Refused("the key is too short")
    try:
        public = load_der_public_key(raw)
    except (ValueError, UnsupportedAlgorithm):
        raise Malformed("the key cannot be read") from None
    if not isinstance(public, RSAPublicKey):
        raise Malformed("the key is of another kind")
    if not SHORTEST <= public.key_size <= LONGEST:
        raise Refused("the key is too short" if public.key_size < SHORTEST else "the key is too long")
    return public, public.key_size


def _ed25519(told: Mapping[str, str]) -> "tuple[Ed25519PublicKey, int]":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        return Ed25519PublicKey.from_public_bytes(tags.octets(told, "p")), 256
    except ValueError as error:
        raise error if isinstance(error, Malformed) else Malformed("the key cannot be read") from None
