"""ARC chains (RFC 8617): what those who passed a message on say of it, each sealing what came before."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from postroom.authentication import canonical, dkim, keys, tags
from postroom.authentication.bounds import Bounded
from postroom.authentication.dkim import Signature, Unsound
from postroom.authentication.keys import Refused
from postroom.authentication.signed import Signed
from postroom.authentication.tags import Malformed
from postroom.authentication.verdict import Verdict
from postroom.errors import Temporary
from postroom.message import Header

HOPS: Final = 50  # RFC 8617 §4.2.1
FIELDS: Final = ("arc-authentication-results", "arc-message-signature", "arc-seal")
_INSTANCE: Final = re.compile(r"[^:]*+:\s*i\s*=\s*(\d{1,2})\s*;")


@dataclass(frozen=True, slots=True)
class Hop:
    """One set of three fields, as they stand."""

    results: bytes
    message: bytes
    seal: bytes

    @property
    def fields(self) -> tuple[bytes, bytes, bytes]:
        return self.results, self.message, self.seal


def verify(signed: Signed, resolver: Bounded) -> Verdict:
    """Whether the chain is whole (RFC 8617 §5.2), with the domain of its last sealer. Raises nothing."""
    number = 0
    try:
        hops = chain(signed)
        if not hops:
            return Verdict("none", "there is no chain")
        number = len(hops)
        seals = [_tags(hop.seal) for hop in hops]
        for number, seal in enumerate(seals, 1):
            _claims(number, seal)
        _message(hops[-1], signed, resolver)
        fields = [canonical.header(field, "relaxed") for hop in hops for field in hop.fields]
        for number in range(len(hops), 0, -1):
            _seal(hops[number - 1].seal, seals[number - 1], fields[: 3 * number - 1], resolver)
    except (Malformed, Refused, Unsound) as error:
        return Verdict("fail", f"hop {number}: {error}" if number else str(error))
    except Temporary as error:
        return Verdict("temperror", f"hop {number}: {error}")
    return Verdict("pass", f"{len(hops)} hop{'s' if len(hops) > 1 else ''}", tags.domain(seals[-1], "d"))


def chain(signed: Signed) -> tuple[Hop, ...]:
    """From the first to the last; one of each kind for each number, without a gap. Raises Malformed."""
    fields: Mapping[str, Sequence[Header]] = {name: signed.named(name) for name in FIELDS}
    found: defaultdict[int, dict[str, bytes]] = defaultdict(dict)
    for name, headers in fields.items():
        if len(headers) > HOPS:
            raise Malformed("the chain is too long")
        for header in headers:
            raw = bytes(header.raw[: tags.LONGEST + 1])
            number = _instance(name, raw)
            if name in found[number]:
                raise Malformed("a field of the chain stands twice")
            found[number][name] = raw
    if sorted(found) != list(range(1, len(found) + 1)) or len(found) > HOPS:
        raise Malformed("the chain has a gap")
    if any(len(found[number]) < len(FIELDS) for number in found):
        raise Malformed("a field of the chain is missing")
    return tuple(Hop(*(found[number][name] for name in FIELDS)) for number in sorted(found))


def _instance(name: str, raw: bytes) -> int:
    if len(raw) > tags.LONGEST:
        raise Malformed("a field of the chain is too long")
    if name == FIELDS[0]:
        said = _INSTANCE.match(raw.decode("latin-1"))
        number = int(said[1]) if said else None
    else:
        number = tags.number(_tags(raw), "i")
    if number is None:
        raise Malformed("a field of the chain has no number")
    return number


def _tags(raw: bytes) -> dict[str, str]:
    return tags.parse(raw.decode("utf-8", "replace").partition(":")[2])


def _claims(number: int, seal: Mapping[str, str]) -> None:
    """What a sealer said of the chain before it."""
    said = seal.get("cv", "").lower()
    if said == "fail":
        raise Refused("the sealer found the chain broken")
    if said != ("none" if number == 1 else "pass"):
        raise Malformed("cv= cannot be so here")
    if "h" in seal:
        raise Malformed("a seal has h=")


def _message(hop: Hop, signed: Signed, resolver: Bounded) -> None:
    """The message as the last sealer passed it on."""
    signature = dkim.read(hop.message, _tags(hop.message))
    if "arc-seal" in signature.names:
        raise Malformed("the message's signature covers seals")
    signature.verified(signed, resolver)


def _seal(raw: bytes, told: Mapping[str, str], before: Sequence[bytes], resolver: Bounded) -> None:
    """A seal over all fields of the chain before its own (RFC 8617 §5.1.1)."""
    seal = Signature(
        raw=raw,
        algorithm=dkim.algorithm(told),
        domain=tags.domain(told, "d"),
        selector=tags.domain(told, "s"),
        header="relaxed",
        body="relaxed",
        names=(),
        digest=b"",
        signature=tags.octets(told, "b"),
    )
    key = keys.look_up(seal.selector, seal.domain, seal.algorithm, resolver)
    if not key.signed(b"".join(before) + seal.own, seal.signature):
        raise Unsound("the seal is not of this chain and key", key)
