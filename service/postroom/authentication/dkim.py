"""DKIM signatures (RFC 6376, RFC 8301, RFC 8463)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from postroom.authentication import canonical, keys, tags
from postroom.authentication.bounds import Bounded
from postroom.authentication.canonical import Form
from postroom.authentication.keys import Algorithm, Key, Refused
from postroom.authentication.signed import Signed
from postroom.authentication.tags import Malformed
from postroom.authentication.verdict import Verdict
from postroom.errors import Temporary

SIGNATURES: Final = 8  # of one message, from above
NAMES: Final = 200  # in one `h=`


@dataclass(frozen=True, slots=True)
class Signature:
    """One field, read. `length`: how much of the body it covers, None: all."""

    raw: bytes
    algorithm: Algorithm
    domain: str
    selector: str
    header: Form
    body: Form
    names: tuple[str, ...]
    digest: bytes
    signature: bytes
    length: int | None = None

    @property
    def own(self) -> bytes:
        """The field itself, as it is signed: without its signature and its line end."""
        return canonical.header(canonical.unsigned(self.raw), self.header).removesuffix(b"\r\n")

    def verified(self, signed: Signed, resolver: Bounded, identity: str = "") -> Key:
        """The key that made it. Raises Unsound, Malformed, Refused and Temporary."""
        key = keys.look_up(self.selector, self.domain, self.algorithm, resolver)
        if key.exact and identity and identity != self.domain:
            raise Malformed("the key is not for domains below its own")
        digest, size = signed.digest(self.body, self.length)
        if digest != self.digest or (self.length or 0) > size:
            raise Unsound("the body was changed", key)
        if not key.signed(signed.covered(self.names, self.header) + self.own, self.signature):
            raise Unsound("the signature is not of this header and key", key)
        if self.length is not None and self.length < size:
            raise Refused("part of the body is not signed (l=)")
        return key


class Unsound(Exception):  # noqa: N818 - reads as a verdict where it is raised
    """What is signed is not what lies here."""

    def __init__(self, text: str, key: Key) -> None:
        super().__init__(text)
        self.testing = key.testing


def verify(
    signed: Signed, resolver: Bounded, at: datetime, first: Callable[[str], bool] = lambda domain: False
) -> Iterator[tuple[int, Verdict]]:
    """What each signature says, with its number from above; `at`: when the message arrived. Raises nothing.

    `first`: the domains whose signatures are looked at before others: who puts signatures of slow domains of his own
    into a message is not to use up the time for those that count.
    """
    raws = [bytes(header.raw[: 2 * tags.LONGEST]) for header in signed.named("dkim-signature")[:SIGNATURES]]
    for number, raw in sorted(enumerate(raws, 1), key=lambda one: not first(_domain(one[1]))):
        yield number, _verdict(raw, signed, resolver, at)


def _domain(raw: bytes) -> str:
    try:
        return tags.domain(_tags(raw), "d")
    except Malformed:
        return ""


def _tags(raw: bytes) -> dict[str, str]:
    return tags.parse(raw.decode("utf-8", "replace").partition(":")[2])


def _verdict(raw: bytes, signed: Signed, resolver: Bounded, at: datetime) -> Verdict:
    domain = ""
    try:
        told = _tags(raw)
        domain = tags.domain(told, "d")
        if told.get("v") != "1":
            raise Malformed("the signature is of an unknown version")
        signature = read(raw, told)
        identity = _times_and_identity(told, at, signature)
        key = signature.verified(signed, resolver, identity)
    except Malformed as error:
        return Verdict("permerror", str(error), domain)
    except Refused as error:
        return Verdict("policy", str(error), domain)
    except Unsound as error:
        if error.testing:
            return Verdict("neutral", f"{error}; the domain is testing", domain)
        return Verdict("fail", str(error), domain)
    except Temporary as error:
        return Verdict("temperror", str(error), domain)
    extent = "" if signature.length is None else ", l= of all"
    return Verdict("pass", f"{signature.algorithm}, {key.bits} bits{extent}", domain)


def read(raw: bytes, told: Mapping[str, str]) -> Signature:
    """What DKIM and ARC have in common. Raises Malformed and Refused."""
    header, _, body = told.get("c", "simple/simple").lower().partition("/")
    forms = (header, body or "simple")
    if not set(forms) <= {"simple", "relaxed"}:
        raise Malformed("the canonicalization is unknown")
    names = tags.words(told, "h")
    if len(names) > NAMES or not all(names):
        raise Malformed("h= is no list of fields")
    if "dns/txt" not in tags.words(told, "q", "dns/txt"):
        raise Malformed("the key lies nowhere that is known")
    return Signature(
        raw=raw,
        algorithm=algorithm(told),
        domain=tags.domain(told, "d"),
        selector=tags.domain(told, "s"),
        header=cast("Form", forms[0]),
        body=cast("Form", forms[1]),
        names=tuple(names),
        digest=tags.octets(told, "bh"),
        signature=tags.octets(told, "b"),
        length=tags.number(told, "l"),
    )


def algorithm(told: Mapping[str, str]) -> Algorithm:
    """Raises Malformed and Refused."""
    match told.get("a", "").lower():
        case "rsa-sha256" | "ed25519-sha256" as known:
            return known
        case "rsa-sha1":
            raise Refused("SHA-1 is not accepted")
    raise Malformed("the algorithm is unknown")


def _times_and_identity(told: Mapping[str, str], at: datetime, signature: Signature) -> str:
    """The domain of `i=`; RFC 6376 §6.1.1."""
    if "from" not in signature.names:
        raise Malformed("the From field is not signed")
    made, ends = tags.number(told, "t"), tags.number(told, "x")
    if ends is not None and made is not None and ends <= made:
        raise Malformed("it ended before it was made")
    if ends is not None and ends < at.timestamp():
        raise Refused("the signature has expired")
    identity = told.get("i", "@" + signature.domain).rpartition("@")[2].lower()
    if identity != signature.domain and not identity.endswith(f".{signature.domain}"):
        raise Malformed("i= is not below d=")
    return identity
