"""The trust line of a message: header fields above it were written by the site's own hosts; and who came to them.

Every host that passes a message on puts its Received field above what it got. So what a stranger wrote, whatever it
is called, lies below the field of the first of our hosts that took it. A stranger may also write Received fields
that name our hosts; they are seen through by what the field above them says of where the message came from.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import takewhile
from typing import Final

from postroom.message import Header
from postroom.pipeline.hosts import Hosts, hosts

LONGEST: Final = 4096  # octets; no host of ours writes a longer Received field
# In brackets, or bare, as Microsoft and qmail write it.
_IP: Final = (
    r"\[(?:IPv6:)?([0-9A-F.:]{2,45})\]|(?<![\w.:])(\d{1,3}(?:\.\d{1,3}){3})(?![\w.])"
    r"|(?<![\w.:])([0-9A-F]{0,4}(?::[0-9A-F]{0,4}){2,7}(?:\.\d{1,3}){0,3})(?![\w.:])"
)
_SEEN: Final = re.compile(rf"(?:^\s*([\w.-]{{1,255}})\s+)?(?:{_IP})", re.IGNORECASE)
# As our listener writes it; what stands behind comes from its client.
_LMTP: Final = re.compile(r"\s*from \S+ \([^()]*\) by \S+ with (?:UTF8)?LMTP[SA]* id ")
# What a host may write between its own Received field and what it got.
_BELOW: Final = frozenset(("authentication-results", "received-spf", "dkim-filter", "dmarc-filter"))
# What the peer called itself, as Exim (`helo=`) and qmail (`HELO `) write it into the comment.
_HELO: Final = re.compile(r"\b(?:helo|ehlo)[= ](\S+)", re.IGNORECASE)
_FORGED: Final = "may be forged"  # Sendmail: the name does not lead back to the address


@dataclass(frozen=True, slots=True)
class Hop:
    """One Received field: who wrote it, and whom it saw (a name, an address); empty `origin`: made on that host."""

    by: str
    origin: frozenset[str]
    address: str = ""
    helo: str = ""

    def came_from(self, ours: Hosts) -> bool:
        """Whether the message had been on one of these hosts, or on this one, before."""
        return not self.origin or any(one in ours or _loopback(one) for one in self.origin)


@dataclass(frozen=True, slots=True)
class Client:
    """Who handed a message to the first of our hosts: the address that this host saw, and the name it was told."""

    address: str
    helo: str


def trusted(headers: Iterable[Header], named: tuple[str, ...], *, below: bool = False) -> tuple[Header, ...]:
    """Fields above the lowest of the leading run of Received fields that the hosts `named` wrote; where the first is
    not theirs, those above the first. None where there is no Received field: nobody vouches for anything then.

    The run ends with the field that took the message from outside: the peer that it saw (not what the peer called
    itself) is neither a loopback address nor one of ours. `below`: also what such a field has directly below it, as far
    as that may be its host's.
    """
    ours = hosts(named)
    believed: tuple[Header, ...] = ()
    since: list[Header] = []
    first = True
    rest = iter(headers)
    for header in rest:
        if header.name.lower() != "received":
            since.append(header)
            continue
        hop = _hop(header)
        if first or hop.by in ours:
            believed += tuple(since)
        if hop.by not in ours:
            break
        if not hop.came_from(ours):
            return believed + tuple(takewhile(_is_trace, rest)) if below else believed
        since, first = [header], False
    return believed


def is_from_outside(ours: tuple[Header, ...], named: tuple[str, ...]) -> bool:
    """Whether a stranger handed the message to our own listener, which wrote the fields `ours`: over SMTP, and neither
    from this machine nor from one of the hosts `named`. LMTP is spoken within a site only (RFC 2033 §1)."""
    local = any(_LMTP.match(written(header)) for header in ours if header.name.lower() == "received")
    return not local and client(ours, (*named, *hosts_of(ours))) is not None


def client(headers: Iterable[Header], named: tuple[str, ...]) -> Client | None:
    """By the field of the trust line; None where none of the hosts `named` tells an address from outside."""
    ours = hosts(named)
    for header in headers:
        if header.name.lower() != "received":
            continue
        hop = _hop(header)
        if hop.by not in ours:
            return None
        if not hop.came_from(ours):
            return Client(hop.address, hop.helo) if hop.address else None
    return None


def hosts_of(headers: Iterable[Header]) -> tuple[str, ...]:
    """Who wrote these Received fields."""
    return tuple(_hop(header).by for header in headers if header.name.lower() == "received")


def written(header: Header, longest: int = LONGEST) -> str:
    """The value as it stands, unfolded but not decoded: hosts write ASCII, and an encoded word is not their name."""
    return "" if len(header.raw) > longest else beginning(header, longest)


def beginning(header: Header, most: int) -> str:
    """The same of a field that may be longer: what stands in its first octets."""
    text = bytes(header.raw[:most]).decode("latin-1").partition(":")[2]
    return " ".join(text.split())


def _hop(header: Header) -> Hop:
    """RFC 5321 §4.4: `from PEER (what was seen) by HOST …; date`."""
    words, comments = _clauses(written(header))
    start = 2 if words[:1] == ["from"] else 0
    by = words[words.index("by", start) + 1 :][:1] if "by" in words[start:] else []
    peer = words[1] if start and len(words) > 1 else ""
    host = by[0].rstrip(".;").strip("[]") if by else ""
    if not peer:
        return Hop(host, frozenset())
    told = next((found[1] for comment in comments if (found := _HELO.search(comment))), peer)
    name, address = _seen(peer, comments)
    return Hop(host, frozenset({name, address} - {""}) or frozenset({peer}), address, told.strip("()[];,").lower())


def _clauses(value: str) -> tuple[list[str], list[str]]:
    """The words outside of comments, lower case, and the outermost comments (RFC 5322 §3.2.2)."""
    outside: list[str] = []
    comments: list[str] = []
    depth = 0
    for piece in re.findall(r"\\.|[()]|[^\\()]+|\\", value):
        if piece == "(":
            depth += 1
            comments += [""] if depth == 1 else []
            outside.append(" ")
        elif piece == ")" and depth:
            depth -= 1
        elif depth:
            comments[-1] += piece
        else:
            outside.append(piece)
    return "".join(outside).lower().split(), comments


def _seen(peer: str, comments: Iterable[str]) -> tuple[str, str]:
    """Name and address of the peer, as far as the host saw them itself."""
    for comment in (*comments, peer):
        for seen in _SEEN.finditer(_HELO.sub("", comment)):
            address = (seen[2] or seen[3] or seen[4]).lower()
            if _is_address(address):
                name = "" if seen[1] is None or _FORGED in comment else seen[1].lower().rstrip(".")
                return name, address
    return "", ""


def _is_trace(header: Header) -> bool:
    return header.name.lower() in _BELOW


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _loopback(host: str) -> bool:
    return _is_address(host) and ip_address(host).is_loopback
