"""Mail to the mail exchangers of its recipients: where the DNS says, in its order (RFC 5321 5.1)."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import ip_address
from typing import Final

from postroom.errors import Temporary
from postroom.pipeline.outgoing import Mail, Reply
from postroom.transports.dns import Exchanger, Resolver
from postroom.transports.smtp.allowance import Allowance
from postroom.transports.smtp.pool import Pool
from postroom.transports.smtp.session import Session
from postroom.transports.smtp.terms import Terms
from postroom.transports.smtp.transport import sent
from postroom.transports.smtp.trouble import Untrusted
from postroom.transports.sts import Policies, Policy

MOST_HOSTS: Final = 5  # that are tried for one domain
MOST_ADDRESSES: Final = 8
MOST_POOLS: Final = 200  # of servers at once


class Unroutable(Exception):  # noqa: N818 - never leaves this module
    """Nobody takes mail for a domain; `reply` says why."""

    def __init__(self, code: int, enhanced: str, text: str) -> None:
        super().__init__(text)
        self.reply = Reply(code=code, enhanced=enhanced, text=text, phase="the DNS")


@dataclass(frozen=True, kw_only=True)
class MxTransport:
    """`terms` without a host. `own`: recipients of one domain share a transaction, each domain has its own."""

    terms: Terms
    resolver: Resolver
    connections: int = 4
    holds: bool = False
    allowance: Allowance | None = None
    patience: float | None = None  # as in Pool
    allow_private: bool = False
    policies: Policies | None = None
    _pools: dict[tuple[str, str, bool], Pool] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def send(self, mail: Mail) -> Mapping[str, Reply]:
        """Raises Temporary where nobody got anything and it may be otherwise later."""
        if self.allowance is not None:
            self.allowance.take()
        domains: dict[str, list[str]] = {}
        for one in mail.recipients:
            domains.setdefault(one.rpartition("@")[2].lower(), []).append(one)
        if len(domains) == 1:
            return self._sent(next(iter(domains)), mail)
        replies: dict[str, Reply] = {}
        for domain, recipients in domains.items():
            part = replace(mail, recipients=tuple(recipients))
            try:
                replies |= self._sent(domain, part)
            except Temporary as error:
                replies |= dict.fromkeys(recipients, Reply(code=450, enhanced="4.4.0", text=str(error)))
        return replies

    def close(self) -> None:
        with self._lock:
            pools = list(self._pools.values())
        for pool in pools:
            pool.close()

    def _sent(self, domain: str, mail: Mail) -> Mapping[str, Reply]:
        error = Temporary("none of its mail exchangers can be reached")
        tried = 0
        try:
            policy = self._policies.policy(domain)
            for exchanger in _routes(self.resolver, domain, self.terms.helo):
                if policy.enforced and not policy.names(exchanger.host):
                    error = Temporary("the mail exchanger is none that the domain's MTA-STS policy names")
                    continue
                for address in self._addresses(exchanger.host):
                    if (tried := tried + 1) > MOST_ADDRESSES:
                        raise error
                    try:
                        return self._over(exchanger.host, address, policy, mail)
                    except Temporary as failed:
                        error = failed
        except Unroutable as why:
            return dict.fromkeys(mail.recipients, why.reply)
        raise error

    def _over(self, host: str, address: str, policy: Policy, mail: Mail) -> Mapping[str, Reply]:
        strict = policy.enforced or self.terms.encryption == "starttls"
        terms = replace(self.terms, host=host, encryption="starttls" if strict else self.terms.encryption)
        return sent(self._pool(host, address, terms, strict=strict), mail)

    def _pool(self, host: str, address: str, terms: Terms, *, strict: bool) -> Pool:
        with self._lock:
            key = (host, address, strict)
            if key not in self._pools:
                if len(self._pools) >= MOST_POOLS:
                    for old in [old for old, pool in self._pools.items() if pool.is_unused]:
                        del self._pools[old]
                opening: Callable[[], Session] = partial(_opened, terms, address, strict=strict)
                self._pools[key] = Pool(opening, self.connections, self.patience)
            return self._pools[key]

    def _addresses(self, host: str) -> Sequence[str]:
        found = (*self.resolver.addresses(host, "AAAA").records, *self.resolver.addresses(host, "A").records)
        return [one for one in found if self.allow_private or ip_address(one).is_global]

    @property
    def _policies(self) -> Policies:
        if self.policies is None:
            object.__setattr__(self, "policies", Policies(self.resolver, ca=self.terms.ca))
        assert self.policies is not None
        return self.policies


def _opened(terms: Terms, address: str, *, strict: bool) -> Session:
    """Opportunistic TLS encrypts for whoever is there, and says so, rather than send clear text (RFC 7435)."""
    try:
        return Session.opened(terms, address)
    except Untrusted:
        if strict:
            raise
        return Session.opened(replace(terms, verify=False), address)


def _routes(resolver: Resolver, domain: str, own: str) -> Sequence[Exchanger]:
    """Hosts to try, most preferred first. Raises Unroutable where nobody takes mail for the domain."""
    if domain.startswith("["):
        raise Unroutable(553, "5.1.2", "mail does not go to addresses of hosts")
    answers = resolver.exchangers(domain)
    if not answers.exists:
        raise Unroutable(550, "5.1.2", "there is no such domain")
    found = answers.records
    if found == (Exchanger(0, ""),) or (len(found) == 1 and not found[0].host):
        raise Unroutable(556, "5.1.10", "the domain takes no mail (null MX)")
    if not found:
        if not any(resolver.addresses(domain, kind) for kind in ("AAAA", "A")):
            raise Unroutable(550, "5.4.4", "the domain has neither a mail exchanger nor an address")
        return [Exchanger(0, domain)]
    # What stands behind ourselves would send it back to us (RFC 5321 5.1).
    ours = [one.preference for one in found if one.host == own.lower()]
    left = [one for one in found if one.host and (not ours or one.preference < min(ours))]
    if not left:
        raise Unroutable(554, "5.4.6", "the domain's mail comes back to us")
    return left[:MOST_HOSTS]
