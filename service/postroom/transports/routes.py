"""Where mail for a domain goes: its exchangers and their addresses, most preferred first (RFC 5321 5.1)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from postroom.errors import Temporary
from postroom.pipeline.outgoing import Reply
from postroom.transports.addresses import is_public
from postroom.transports.dns import Exchanger, Resolver
from postroom.transports.sts import Policy

MOST_HOSTS: Final = 5  # that are tried for one domain
PRIVATE: Final = "its mail exchangers have private, loopback or link-local addresses: `allow-private: true` allows it"


class Unroutable(Exception):  # noqa: N818 - never leaves the transport
    """Nobody takes mail for a domain; `reply` says why."""

    def __init__(self, code: int, enhanced: str, text: str) -> None:
        super().__init__(text)
        self.reply = Reply(code=code, enhanced=enhanced, text=text, phase="the DNS")


@dataclass(frozen=True, kw_only=True)
class Routes:
    """`own`: our name, as the DNS may call us."""

    resolver: Resolver
    own: str
    allow_private: bool = False

    def places(self, domain: str, policy: Policy) -> Iterator[tuple[str, str]]:
        """Hosts, each with an address. Raises Unroutable where there are none, and Temporary where nobody can say."""
        hosts = [one for one in self._hosts(domain) if not policy.enforced or policy.names(one)]
        if not hosts:
            raise Temporary("none of its mail exchangers is one that the domain's MTA-STS policy names")
        inside = outside = False
        for host in hosts:
            for address in self._addresses(host):
                # A stranger's zone must not make us talk to what only we can reach.
                if self.allow_private or is_public(address):
                    outside = True
                    yield host, address
                else:
                    inside = True
        if inside and not outside:
            raise Unroutable(550, "5.4.4", PRIVATE)

    def _addresses(self, host: str) -> Sequence[str]:
        return (*self.resolver.addresses(host, "AAAA").records, *self.resolver.addresses(host, "A").records)

    def _hosts(self, domain: str) -> Sequence[str]:
        if domain.startswith("["):
            raise Unroutable(553, "5.1.2", "mail does not go to addresses of hosts")
        answers = self.resolver.exchangers(domain)
        if not answers.exists:
            raise Unroutable(550, "5.1.2", "there is no such domain")
        found = answers.records
        if found == (Exchanger(0, ""),) or (len(found) == 1 and not found[0].host):
            raise Unroutable(556, "5.1.10", "the domain takes no mail (null MX)")
        if not found:
            if not self._addresses(domain):
                raise Unroutable(550, "5.4.4", "the domain has neither a mail exchanger nor an address")
            return [domain]
        # What stands behind ourselves would send it back to us.
        ours = [one.preference for one in found if one.host == self.own.lower()]
        left = [one.host for one in found if one.host and (not ours or one.preference < min(ours))]
        if not left:
            raise Unroutable(554, "5.4.6", "the domain's mail comes back to us")
        return left[:MOST_HOSTS]
