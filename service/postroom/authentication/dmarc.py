"""DMARC (RFC 7489): whether SPF or DKIM speaks for the domain that people see, and what that domain asks for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Literal, cast
from zlib import crc32

from postroom.authentication import tags
from postroom.authentication.bounds import Bounded
from postroom.authentication.tags import Malformed
from postroom.authentication.verdict import Verdict
from postroom.errors import Temporary
from postroom.message import Message

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

Policy = Literal["none", "quarantine", "reject"]
_MILDER: Final[Mapping[Policy, Policy]] = {"reject": "quarantine", "quarantine": "none", "none": "none"}


@dataclass(frozen=True, slots=True)
class Record:
    """What a domain has published. `part`: of how many in a hundred messages it asks for its policy."""

    policy: Policy
    below: Policy
    strict_dkim: bool
    strict_spf: bool
    part: int


def verify(
    message: Message, spf: Verdict, dkim: Sequence[Verdict], resolver: Bounded, key: str
) -> tuple[Verdict, Policy | None]:
    """The result, and what the domain asks for: a milder thing for those messages that its `pct=` spares, which is
    decided by `key` and so the same each time. Raises nothing."""
    try:
        domain = author(message)
        found = look_up(domain, resolver)
    except Malformed as error:
        return Verdict("permerror", str(error)), None
    except Temporary as error:
        return Verdict("temperror", str(error)), None
    if found is None:
        return Verdict("none", "the domain has no policy", domain), None
    record, above = found
    policy = record.below if above else record.policy
    if crc32(key.encode()) % 100 >= record.part:
        policy = _MILDER[policy]
    return _result(domain, record, spf, dkim), policy


def author(message: Message) -> str:
    """The domain of the From field. Raises Malformed where there is not exactly one (RFC 7489 §6.6.1)."""
    domains = {address.domain for address in message.from_}
    if len(message.headers.get_all("from")) != 1 or len(domains) != 1:
        raise Malformed("there is not one From field with one domain")
    found = tags.domain({"from": domains.pop().rstrip(".")}, "from")
    if "." not in found:
        raise Malformed("the From field has no domain")
    return found


def is_near(message: Message, domain: str) -> bool:
    """Whether what holds for that domain may speak for the author's."""
    try:
        return aligned(domain, author(message), strict=False)
    except Malformed:
        return False


def look_up(domain: str, resolver: Bounded) -> tuple[Record, bool] | None:
    """The policy, and whether it is that of the organization above (RFC 7489 §6.6.3). Raises Temporary."""
    record = _record(resolver.texts(f"_dmarc.{domain}").records)
    if record is not None:
        return record, False
    above = organization(domain)
    if above == domain:
        return None
    record = _record(resolver.texts(f"_dmarc.{above}").records)
    return None if record is None else (record, True)


def organization(domain: str) -> str:
    """The part of a name that somebody registered, by the public suffix list; a public suffix is its own."""
    return _suffixes().privatesuffix(domain) or domain


def _record(texts: Iterable[bytes]) -> Record | None:
    """None where there is none, or more than one: a domain that says two things says nothing."""
    told = [one for one in map(_read, texts) if one is not None]
    return told[0] if len(told) == 1 else None


def _read(text: bytes) -> Record | None:
    try:
        told = tags.parse(text.decode("latin-1"))
    except Malformed:
        return None
    if next(iter(told), "") != "v" or told["v"] != "DMARC1":
        return None
    policy = _policy(told.get("p", ""))
    below = _policy(told.get("sp", told.get("p", "")))
    if policy is None or below is None:
        # RFC 7489 §6.6.3: one that asks for reports at least is one that asks for nothing else.
        if not told.get("rua"):
            return None
        policy = below = "none"
    part = told.get("pct", "100")
    return Record(
        policy=policy,
        below=below,
        strict_dkim=told.get("adkim", "r").lower() == "s",
        strict_spf=told.get("aspf", "r").lower() == "s",
        part=min(100, int(part)) if part.isascii() and part.isdigit() and len(part) <= 3 else 100,
    )


def _policy(text: str) -> Policy | None:
    word = text.lower()
    return cast("Policy", word) if word in _MILDER else None


def _result(domain: str, record: Record, spf: Verdict, dkim: Sequence[Verdict]) -> Verdict:
    speaking = [one for one in dkim if aligned(one.domain, domain, strict=record.strict_dkim)]
    by = ["DKIM"] if any(one.result == "pass" for one in speaking) else []
    if aligned(spf.domain, domain, strict=record.strict_spf):
        speaking.append(spf)
        by += ["SPF"] if spf.result == "pass" else []
    if by:
        return Verdict("pass", f"by {' and '.join(by)}", domain)
    if any(one.result == "temperror" for one in speaking):
        return Verdict("temperror", "the DNS does not say whether the domain sent it", domain)
    return Verdict("fail", "neither SPF nor DKIM passed for the domain", domain)


def aligned(one: str, domain: str, *, strict: bool) -> bool:
    """Whether what holds for one domain speaks for the other (RFC 7489 §3.1)."""
    return bool(one) and (one == domain or (not strict and organization(one) == organization(domain)))


@cache
def _suffixes() -> "PublicSuffixList":
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
