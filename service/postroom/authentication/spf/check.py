"""The question of SPF, asked and answered within its limits (RFC 7208 §4)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, TypeVar

from postroom.authentication.bounds import Bounded
from postroom.authentication.spf import macros, record
from postroom.authentication.spf.broken import Broken
from postroom.authentication.spf.record import Directive
from postroom.authentication.verdict import Verdict
from postroom.errors import Temporary
from postroom.pipeline.view import AuthResult

T = TypeVar("T")
Address = IPv4Address | IPv6Address
TERMS: Final = 10  # that ask the DNS
VOID: Final = 2  # of them that find nothing
HOSTS: Final = 10  # of one MX or PTR answer
_LABEL: Final = re.compile(r"[!-\-/-~]{1,63}")


def check(address: str, helo: str, sender: str, resolver: Bounded) -> Verdict:
    """For the sender's domain, or that of `helo` where the sender is empty. Raises nothing."""
    local, _, domain = sender.rpartition("@") if sender else ("postmaster", "@", helo)
    domain = _ascii(domain.rstrip("."))
    try:
        client = ip_address(address)
    except ValueError:
        return Verdict("none", "the client's address is unknown")
    if "." not in domain or not _proper(domain):
        return Verdict("none", "the sender has no domain")
    mapped = client.ipv4_mapped if isinstance(client, IPv6Address) else None
    asked = _Check(mapped or client, helo, f"{local or 'postmaster'}@{domain}", resolver)
    try:
        return Verdict(asked.host(domain) or "none", asked.reason, domain)
    except Broken as error:
        return Verdict("permerror", str(error), domain)
    except Temporary as error:
        return Verdict("temperror", str(error), domain)


@dataclass
class _Check:
    """One run, which counts what it costs. `reason`: the mechanism that decided."""

    address: Address
    helo: str
    sender: str
    resolver: Bounded
    reason: str = "the domain has no record"
    terms: int = 0
    void: int = 0
    _names: dict[str, str] = field(default_factory=dict)

    def host(self, domain: str) -> AuthResult | None:
        """check_host(); None: the domain has no record. Raises Broken and Temporary."""
        found = record.chosen(self.resolver.texts(domain).records) if _proper(domain) else None
        if found is None:
            return None
        for directive in found.directives:
            if self.matches(directive, domain):
                self.reason = f"by `{directive.name}`"
                return directive.result
        if found.redirect is None:
            self.reason = "no mechanism matches"
            return "neutral"
        self.count()
        result = self.host(self.expand(found.redirect, domain))
        if result is None:
            raise Broken("the record leads to a domain that has none")
        return result

    def matches(self, directive: Directive, domain: str) -> bool:
        if directive.name == "all":
            return True
        if directive.network is not None:
            return self.address in directive.network
        self.count()
        target = self.expand(directive.spec, domain) if directive.spec else domain
        match directive.name:
            case "include":
                return self.included(target)
            case "a":
                return _proper(target) and self.within(self.addresses(target, void=True), directive)
            case "mx":
                return _proper(target) and any(
                    self.within(self.addresses(host), directive) for host in self.exchangers(target)
                )
            case "exists":
                return _proper(target) and bool(self.found(self.resolver.addresses(target, "A").records))
        return any(name == target or name.endswith(f".{target}") for name in self.names())

    def included(self, target: str) -> bool:
        result = self.host(target)
        if result is None:
            raise Broken("the record includes a domain that has none")
        return result == "pass"

    def addresses(self, host: str, *, void: bool = False) -> tuple[str, ...]:
        found = self.resolver.addresses(host, "A" if self.address.version == 4 else "AAAA").records
        return self.found(found) if void else found

    def exchangers(self, target: str) -> Iterable[str]:
        hosts = [one.host for one in self.found(self.resolver.exchangers(target).records)]
        if len(hosts) > HOSTS:
            raise Broken("a domain has too many MX records")
        return filter(_proper, hosts)

    def within(self, found: Iterable[str], directive: Directive) -> bool:
        length = directive.length4 if self.address.version == 4 else directive.length6
        return any(self.address in ip_network(f"{one}/{length}", strict=False) for one in found)

    def names(self) -> list[str]:
        """Names of the client that lead back to it (RFC 7208 §5.5). An error of the DNS is no name."""
        try:
            claimed = self.found(self.resolver.names(str(self.address)).records)
        except Temporary:
            return []
        return [name for name in claimed[:HOSTS] if _proper(name) and self.leads_back(name)]

    def leads_back(self, name: str) -> bool:
        try:
            return any(ip_address(one) == self.address for one in self.addresses(name))
        except Temporary:
            return False

    def expand(self, spec: str, domain: str) -> str:
        def name() -> str:
            """The validated name; best the domain's own, or one below it (RFC 7208 §7.3)."""
            if domain not in self._names:
                known = self.names()
                near = sorted(known, key=lambda one: (one != domain, not one.endswith(f".{domain}")))
                self._names[domain] = next(iter(near), "unknown")
            return self._names[domain]

        context = macros.Context(sender=self.sender, helo=self.helo, domain=domain, address=self.address, name=name)
        return macros.expand(spec, context)

    def count(self) -> None:
        self.terms += 1
        if self.terms > TERMS:
            raise Broken("the record asks too many questions")

    def found(self, records: tuple[T, ...]) -> tuple[T, ...]:
        """Counts an answer that holds nothing."""
        self.void += not records
        if self.void > VOID:
            raise Broken("too many questions of the record find nothing")
        return records


def _ascii(domain: str) -> str:
    try:
        return (domain if domain.isascii() else domain.encode("idna").decode()).lower()
    except UnicodeError:
        return ""


def _proper(domain: str) -> bool:
    """Whether the DNS can be asked about it."""
    return len(domain) <= macros.LONGEST and all(map(_LABEL.fullmatch, domain.split(".")))
