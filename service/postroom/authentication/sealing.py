"""Our own set of ARC fields (RFC 8617 §5.1): what we found of a message, sealed before it goes on."""

import hashlib
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from postroom.authentication import arc, canonical
from postroom.authentication.bounds import Bounded
from postroom.authentication.keys import LONGEST, SHORTEST, Algorithm, Refused
from postroom.authentication.signed import Signed
from postroom.authentication.tags import Malformed
from postroom.errors import Temporary
from postroom.message import Message
from postroom.pipeline.resolving import Resolver
from postroom.pipeline.view import Auth, AuthResult

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

COVERED: Final = (
    "cc", "content-transfer-encoding", "content-type", "date", "dkim-signature", "from", "in-reply-to", "list-id",
    "list-unsubscribe", "list-unsubscribe-post", "message-id", "mime-version", "references", "reply-to", "sender",
    "subject", "to",
)  # fmt: skip
MOST: Final = 10  # fields of one name that are covered, from below
_WIDTH: Final = 72
_FOLD: Final = "\r\n\t"
_END: Final = b"\r\n"


@dataclass(frozen=True, kw_only=True)
class Sealer:
    """Seals for a domain with the key of one selector. `host`: the authserv-id of what we found."""

    domain: str
    selector: str
    key: "RSAPrivateKey | Ed25519PrivateKey"
    host: str

    def sealed(self, message: Message, came: Message, auth: Auth | None, resolver: Resolver, at: datetime) -> bytes:
        """Three fields to stand on top; nothing where the chain is broken or too long, which no seal can mend, or the
        header is huge. `came`: the message before we changed its author, with the chain that `auth` may tell of. Raises
        Temporary where the DNS does not say whether it is whole."""
        bounded = Bounded(resolver)
        arrived = Signed(came, bounded)
        try:
            hops = arc.chain(arrived)
        except Malformed:
            return b""
        found = _found(arrived, auth, bounded) if hops else "none"
        number = len(hops) + 1
        if found not in ("none", "pass") or number > arc.HOPS:
            return b""
        results = _results(number, self.host, (auth or Auth()).model_copy(update={"arc": found}))
        try:
            passed_on = self._message(number, Signed(message, bounded), at)
        except Refused:
            return b""
        before = [*(field for hop in hops for field in hop.fields), results, passed_on]
        return self._seal(number, found, before, at) + passed_on + results

    def _message(self, number: int, signed: Signed, at: datetime) -> bytes:
        """The message as we pass it on."""
        names = Counter(header.name.lower() for header in signed.headers)
        covered = [name for name in COVERED for _ in range(min(names[name], MOST))]
        digest, _ = signed.digest("relaxed", None)
        field = _field(
            "ARC-Message-Signature",
            f"i={number}; a={self._algorithm}; c=relaxed/relaxed; d={self.domain}; s={self.selector}",
            f"t={int(at.timestamp())}",
            f"h={':'.join(covered)}",
            f"bh={b64encode(digest).decode()}",
        )
        return self._signed(field, signed.covered(covered, "relaxed"))

    def _seal(self, number: int, found: AuthResult, before: list[bytes], at: datetime) -> bytes:
        """Over the whole chain with this set."""
        field = _field(
            "ARC-Seal",
            f"i={number}; a={self._algorithm}; cv={found}; d={self.domain}; s={self.selector}",
            f"t={int(at.timestamp())}",
        )
        return self._signed(field, b"".join(canonical.header(one, "relaxed") for one in before))

    def _signed(self, field: bytes, text: bytes) -> bytes:
        """The field with the signature over `text` and itself."""
        field += f";{_FOLD}b=".encode()
        made = b64encode(self._signature(text + canonical.header(field, "relaxed").removesuffix(_END))).decode()
        lines = (made[at : at + _WIDTH] for at in range(0, len(made), _WIDTH))
        return field + _FOLD.join(lines).encode() + _END

    def _signature(self, text: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256

        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(text, PKCS1v15(), SHA256())
        return self.key.sign(hashlib.sha256(text).digest())

    @property
    def _algorithm(self) -> Algorithm:
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

        return "rsa-sha256" if isinstance(self.key, RSAPrivateKey) else "ed25519-sha256"


def read(pem: bytes) -> "RSAPrivateKey | Ed25519PrivateKey":
    """A private key as openssl writes it. ValueError where it is none, or one that nobody would believe."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("holds no private key in PEM that can be read without a password") from None
    if isinstance(key, RSAPrivateKey):
        if not SHORTEST <= key.key_size <= LONGEST:
            raise ValueError(f"holds a key of RSA that does not have {SHORTEST} to {LONGEST} bits")
        return key
    if isinstance(key, Ed25519PrivateKey):
        return key
    raise ValueError("holds a key that is neither RSA nor Ed25519")


def _found(arrived: Signed, auth: Auth | None, resolver: Bounded) -> AuthResult:
    """Whether the chain is whole; by what is known already, as steps may have changed the message since."""
    if auth is not None and auth.arc in ("pass", "fail"):
        return auth.arc
    found = arc.verify(arrived, resolver).result
    if found == "temperror":
        raise Temporary("the DNS does not say whether the chain of ARC is whole")
    return found


def _results(number: int, host: str, auth: Auth) -> bytes:
    said = (f"{method}={found}" for method in ("spf", "dkim", "dmarc", "arc") if (found := getattr(auth, method)))
    return _field("ARC-Authentication-Results", f"i={number}; {host}", *said) + _END


def _field(name: str, *tags: str) -> bytes:
    """Without its line end, a line for each of the tags, whose lists are broken after colons where they are long."""
    return f"{name}: ".encode() + f";{_FOLD}".join(map(_wrapped, tags)).encode()


def _wrapped(tag: str) -> str:
    made, line = "", ""
    for piece in tag.split(":"):
        if len(line) + len(piece) > _WIDTH:
            made, line = f"{made}{line}{_FOLD}", ""
        line += f"{piece}:"
    return made + line.removesuffix(":")
