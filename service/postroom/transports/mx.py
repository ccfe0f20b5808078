"""Mail to the mail exchangers of its recipients: where the DNS says, in its order (RFC 5321 5.1)."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Final

from postroom.errors import Temporary
from postroom.pipeline.outgoing import Mail, Reply
from postroom.transports.dns import Resolver
from postroom.transports.routes import Routes, Unroutable
from postroom.transports.smtp.allowance import Allowance
from postroom.transports.smtp.pool import Pool
from postroom.transports.smtp.session import Session
from postroom.transports.smtp.terms import Terms
from postroom.transports.smtp.transport import sent
from postroom.transports.smtp.trouble import Untrusted
from postroom.transports.sts import Policies, Policy

MOST_ADDRESSES: Final = 8  # that are tried for one domain
MOST_POOLS: Final = 200  # of servers at once


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

    def prepare(self) -> bool:
        """Who will be called only the DNS knows."""
        return True

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
        routes = Routes(resolver=self.resolver, own=self.terms.helo, allow_private=self.allow_private)
        try:
            policy = self._policies.policy(domain)
            for host, address in islice(routes.places(domain, policy), MOST_ADDRESSES):
                try:
                    return self._over(host, address, policy, mail)
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

    @property
    def _policies(self) -> Policies:
        if self.policies is None:
            object.__setattr__(
                self, "policies", Policies(self.resolver, ca=self.terms.ca, allow_private=self.allow_private)
            )
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
