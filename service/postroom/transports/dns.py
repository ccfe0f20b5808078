"""Questions to the DNS: bounded in time and size, cached, and answered the same way whoever asks.

That a name does not exist is an answer and no error; only that nobody could say is one, and it is temporary.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

from postroom.errors import Temporary

if TYPE_CHECKING:
    import dns.resolver

T = TypeVar("T")
Kind = Literal["A", "AAAA", "MX", "TXT", "CNAME", "PTR", "NS", "SOA", "TLSA"]
PORT: Final = 53
MOST_RECORDS: Final = 200  # of one answer; a stranger's zone may hold any number
CACHED: Final = 10_000  # answers


@dataclass(frozen=True, slots=True)
class Answers(Generic[T]):
    """What the DNS holds of one kind under one name. Without records: `exists` tells a name that has none of this kind
    (no answer) from one that is not there at all (NXDOMAIN). `authentic`: the resolver says it checked DNSSEC.
    """

    records: tuple[T, ...] = ()
    exists: bool = True
    authentic: bool = False

    def __bool__(self) -> bool:
        return bool(self.records)


@dataclass(frozen=True, slots=True, order=True)
class Exchanger:
    """One MX record. The host is lower case without a final dot; "" is the null MX (RFC 7505)."""

    preference: int
    host: str


@dataclass(frozen=True, kw_only=True)
class Resolver:
    """Asks these servers, or those of /etc/resolv.conf where there are none. Safe to share between threads.

    Methods raise Temporary where no server answers within `timeout`, or all of them fail.
    """

    servers: Sequence[tuple[str, int]] = ()  # addresses and ports
    timeout: timedelta = timedelta(seconds=5)

    def query(self, name: str, kind: Kind) -> Answers[str]:
        """Records as zone files write them; names end with a dot."""
        return self._asked(name, kind, lambda record: str(record.to_text()))

    def texts(self, name: str) -> Answers[bytes]:
        """TXT records, the strings of each joined."""
        return self._asked(name, "TXT", lambda record: b"".join(record.strings))

    def exchangers(self, name: str) -> Answers[Exchanger]:
        """MX records, the most preferred first."""
        found = self._asked(name, "MX", lambda record: Exchanger(int(record.preference), _plain(record.exchange)))
        return Answers(tuple(sorted(found.records)), found.exists, found.authentic)

    def addresses(self, name: str, kind: Literal["A", "AAAA"]) -> Answers[str]:
        """Addresses of one family."""
        return self._asked(name, kind, lambda record: str(record.address))

    def names(self, address: str) -> Answers[str]:
        """Names that an address claims to have (PTR); nobody has checked them. ValueError where it is none."""
        from dns.exception import SyntaxError as Malformed
        from dns.reversename import from_address

        try:
            reverse = from_address(address).to_text()
        except Malformed:
            raise ValueError("an IPv4 or IPv6 address is expected") from None
        return self._asked(reverse, "PTR", lambda record: _plain(record.target))

    def _asked(self, name: str, kind: Kind, read: Callable[[Any], T]) -> Answers[T]:
        from dns.exception import DNSException
        from dns.flags import AD
        from dns.name import from_text
        from dns.resolver import NXDOMAIN

        try:
            asked = from_text(name)
        except (DNSException, UnicodeError):
            return Answers(exists=False)  # no name, so that nothing is there
        try:
            found = self._resolver.resolve(asked, kind, search=False, raise_on_no_answer=False)
        except NXDOMAIN:
            return Answers(exists=False)
        except (DNSException, OSError) as error:
            raise Temporary(f"the DNS gives no answer ({type(error).__name__})") from None
        records = list(found.rrset or ())[:MOST_RECORDS]
        return Answers(tuple(map(read, records)), authentic=bool(found.response.flags & AD))

    @cached_property
    def _resolver(self) -> "dns.resolver.Resolver":
        from dns.nameserver import Do53Nameserver
        from dns.resolver import LRUCache, NoResolverConfiguration, Resolver

        try:
            made = Resolver(configure=not self.servers)
        except (NoResolverConfiguration, OSError):
            raise Temporary("/etc/resolv.conf names no DNS server; name one in `resolver`") from None
        if self.servers:
            made.nameservers = [Do53Nameserver(address, port) for address, port in self.servers]
        made.lifetime = self.timeout.total_seconds()
        made.timeout = max(0.1, made.lifetime / (2 * len(made.nameservers)))
        made.cache = LRUCache(CACHED)
        return made


def _plain(name: Any) -> str:
    return str(name.to_text(omit_final_dot=True)).lower().rstrip(".")
