"""Authentication-Results (RFC 8601): what another host found, read from the field that it wrote."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, get_args

from postroom.pipeline.view import Auth, AuthResult

LONGEST: Final = 16 * 1024  # octets of one field
_RESULTS: Final = frozenset(get_args(AuthResult))
_PIECE: Final = re.compile(r'\\.|"((?:[^"\\]|\\.)*+)"|[();]|[^\\"();]+|.', re.DOTALL)
_RESULT: Final = re.compile(r"\s*([a-z0-9-]{1,40})\s*(?:/\s*\d{1,9}\s*)?=\s*([a-z]{1,20})(?![\w-])", re.IGNORECASE)
_HELO: Final = re.compile(r"\bsmtp\s*\.\s*helo\s*=", re.IGNORECASE)
_SENDER: Final = {
    "spf": re.compile(r"(?<!\S)smtp\s*\.\s*mailfrom\s*=\s*(\S{1,500})", re.IGNORECASE),
    "dkim": re.compile(r"(?<!\S)header\s*\.\s*[di]\s*=\s*(\S{1,500})", re.IGNORECASE),
}
_POLICY: Final = re.compile(r"\b(?:p|policy\.published-domain-policy)\s*=\s*(none|quarantine|reject)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Section:
    """What stands between two semicolons; quoted text is not in `text`, for nothing that is asked stands there."""

    text: str
    comments: str


@dataclass(frozen=True, slots=True)
class Found:
    """One method and its result."""

    method: str
    result: AuthResult
    section: Section


def read(fields: Iterable[str], servers: Iterable[str]) -> Auth | None:
    """What the fields of these authserv-ids say, the topmost first; None where none says anything. Of several DKIM
    results one that passed counts; of several others the first, of SPF the first about the envelope sender."""
    believed = frozenset(server.lower() for server in servers)
    found = [one for field in fields for one in _of(field, believed)]
    results = {method: _chosen(method, found) for method in ("dkim", "spf", "dmarc", "arc")}
    if not any(results.values()):
        return None
    dmarc = next((one.section for one in found if one.method == "dmarc"), Section("", ""))
    policy = _POLICY.search(dmarc.comments) or _POLICY.search(dmarc.text)
    return Auth.model_validate({**results, "policy": policy[1].lower() if policy else None})


def senders(fields: Iterable[str], servers: Iterable[str]) -> Iterator[str]:
    """Domains that sent the message, as these authserv-ids say: SPF passed for the envelope, or a signature did."""
    believed = frozenset(server.lower() for server in servers)
    for one in (one for field in fields for one in _of(field, believed)):
        named = _SENDER[one.method].search(one.section.text) if one.method in _SENDER else None
        if one.result == "pass" and named:
            yield named[1].rpartition("@")[2].strip("<>").lower()


def _of(field: str, believed: frozenset[str]) -> Iterator[Found]:
    first, *rest = sections(field)
    name = first.text.split()[:1]
    if not name or name[0].lower() not in believed:
        return
    for section in rest:
        said = _RESULT.match(section.text)
        if said and said[2].lower() in _RESULTS:
            yield Found(said[1].lower(), said[2].lower(), section)  # type: ignore[arg-type]  # one of them, as asked


def sections(field: str) -> list[Section]:
    """A field's value, cut at its semicolons. A quoted first word is the authserv-id."""
    made: list[Section] = []
    text, comments, depth = "", "", 0
    for piece in _PIECE.finditer(field):
        word = piece[0]
        if word == "(":
            depth += 1
            text += " "
        elif depth:
            depth -= word == ")"
            comments += word if depth else " "
        elif word == ";":
            made.append(Section(text, comments))
            text = comments = ""
        elif piece[1] is not None:
            text += piece[1] if not made and not text.strip() else '""'
        else:
            text += word
    return [*made, Section(text, comments)]


def _chosen(method: str, found: Iterable[Found]) -> AuthResult | None:
    said = [one for one in found if one.method == method]
    if method == "dkim":
        said.sort(key=lambda one: one.result != "pass")
    elif method == "spf":
        said.sort(key=lambda one: _HELO.search(one.section.text) is not None)
    return said[0].result if said else None
