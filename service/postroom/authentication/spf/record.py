"""An SPF record, read (RFC 7208 §4.6, §5, §6)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, Literal, cast

from postroom.authentication.spf import macros
from postroom.authentication.spf.broken import Broken
from postroom.pipeline.view import AuthResult

Name = Literal["all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"]
LONGEST: Final = 8 * 1024  # octets
_VERSION: Final = re.compile(rb"v=spf1(?: |$)", re.IGNORECASE)
_MODIFIER: Final = re.compile(r"([A-Za-z][A-Za-z0-9_.\-]*+)=(.*)")
_DIRECTIVE: Final = re.compile(
    r"([+\-~?]?)(all|include|a|mx|ptr|ip4|ip6|exists)((?:[:/].*)?)", re.IGNORECASE | re.DOTALL
)
_TARGET: Final = re.compile(r"(?::(.+?))?(?:/(0|[1-9]\d?))?(?://(0|[1-9]\d{0,2}))?", re.DOTALL)
_RESULTS: Final[dict[str, AuthResult]] = {"": "pass", "+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """One mechanism and what its match means. `spec`: a name with macros; empty: the domain itself."""

    result: AuthResult
    name: Name
    spec: str = ""
    length4: int = 32
    length6: int = 128
    network: IPv4Network | IPv6Network | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Directives in order, and where to go on after them."""

    directives: tuple[Directive, ...]
    redirect: str | None


def chosen(texts: Sequence[bytes]) -> Record | None:
    """The domain's record; None where it has none. Raises Broken."""
    found = [text for text in texts if _VERSION.match(text)]
    if len(found) > 1:
        raise Broken("there are several records")
    if not found:
        return None
    if len(found[0]) > LONGEST or not found[0].isascii():
        raise Broken("the record is too long, or not ASCII")
    return read(found[0].decode("ascii")[6:])


def read(text: str) -> Record:
    """What stands behind the version. Raises Broken for anything wrong anywhere."""
    directives: list[Directive] = []
    modifiers: dict[str, str] = {}
    for term in text.split(" "):
        if not term:
            continue
        if modifier := _MODIFIER.fullmatch(term):
            name = modifier[1].lower()
            if name in modifiers and name in ("redirect", "exp"):
                raise Broken("a modifier stands twice")
            modifiers[name] = macros.check(modifier[2]) if name in ("redirect", "exp") else _any(modifier[2])
        else:
            directives.append(_directive(term))
    return Record(directives=tuple(directives), redirect=modifiers.get("redirect"))


def _any(text: str) -> str:
    """A modifier that nobody knows: it still has to be text with macros."""
    macros.syntax(text)
    return text


def _directive(term: str) -> Directive:
    said = _DIRECTIVE.fullmatch(term)
    if said is None:
        raise Broken("a term cannot be read")
    result, name, rest = _RESULTS[said[1]], cast("Name", said[2].lower()), said[3]
    if name in ("ip4", "ip6"):
        return Directive(result=result, name=name, network=_network(name, rest[1:]))
    target = _TARGET.fullmatch(rest)
    if target is None:
        raise Broken("a term cannot be read")
    spec, *lengths = target.groups()
    length4, length6 = (default if one is None else int(one) for one, default in zip(lengths, (32, 128), strict=True))
    if name not in ("a", "mx") and any(lengths):
        raise Broken("a prefix length cannot stand there")
    if length4 > 32 or length6 > 128:
        raise Broken("a prefix length is too large")
    if (spec is None and name in ("include", "exists")) or (spec is not None and name == "all"):
        raise Broken("a term cannot be read")
    checked = "" if spec is None else macros.check(spec)
    return Directive(result=result, name=name, spec=checked, length4=length4, length6=length6)


def _network(name: str, text: str) -> IPv4Network | IPv6Network:
    address, slash, length = text.partition("/")
    if slash and not re.fullmatch(r"0|[1-9]\d{0,2}", length):
        raise Broken("a prefix length cannot be read")
    try:
        found = ip_network(text, strict=False)
    except ValueError:
        raise Broken("an address cannot be read") from None
    if found.version != int(name[2]) or "%" in address:
        raise Broken("an address is of the other family")
    return found
