"""Authentication-Results (RFC 8601): what another host found, read from the field that it wrote."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, get_args

from postroom.pipeline.hosts import Hosts
from postroom.pipeline.view import Auth, AuthResult

FIELDS: Final = frozenset(("authentication-results", "arc-authentication-results"))
MOST: Final = 50  # fields of one message that are read
LONGEST: Final = 16 * 1024  # octets of one of them
METHODS: Final = ("dkim", "spf", "dmarc", "arc")
_RESULTS: Final = frozenset(get_args(AuthResult))
_PIECE: Final = re.compile(r'\\.|"((?:[^"\\]|\\.)*+)"|[();]|[^\\"();]+|.', re.DOTALL)
_INSIDE: Final = re.compile(r"\\.|[()]|[^\\()]+|.", re.DOTALL)  # of a comment, where nothing is quoted (RFC 5322 3.2.2)
_RESULT: Final = re.compile(r"\s*([a-z0-9-]{1,40})\s*(?:/\s*\d{1,9}\s*)?=\s*([a-z]{1,20})(?![\w-])", re.IGNORECASE)
_INSTANCE: Final = re.compile(r"\s*i\s*=\s*\d{1,2}\s*", re.IGNORECASE)
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


def read(fields: Iterable[str], believed: Hosts) -> Auth | None:
    """What the fields of these authserv-ids say, each a value of one of FIELDS; None where none says anything. Of a
    method counts what the topmost field says that tells of it: of several DKIM results one that passed, of SPF the
    first about the envelope sender."""
    found: dict[str, Found] = {}
    for field in islice(fields, MOST):
        found = _chosen([*_of(field, believed)]) | found
    results = {method: found[method].result for method in METHODS if method in found}
    if not results:
        return None
    dmarc = found["dmarc"].section if "dmarc" in found else Section("", "")
    policy = _POLICY.search(dmarc.comments) or _POLICY.search(dmarc.text)
    return Auth.model_validate({**results, "policy": policy[1].lower() if policy else None})


def senders(fields: Iterable[str], believed: Hosts) -> Iterator[str]:
    """Domains that sent the message, as these authserv-ids say: SPF passed for the envelope, or a signature did."""
    for one in (one for field in islice(fields, MOST) for one in _of(field, believed)):
        named = _SENDER[one.method].search(one.section.text) if one.method in _SENDER else None
        if one.result == "pass" and named:
            yield named[1].rpartition("@")[2].strip("<>").lower()


def _of(field: str, believed: Hosts) -> Iterator[Found]:
    """Microsoft leaves the authserv-id out: it is empty then."""
    cut = sections(field)
    if _INSTANCE.fullmatch(cut[0].text):
        del cut[0]
    name = "" if not cut or _RESULT.match(cut[0].text) else cut.pop(0).text
    if (name.split() or [""])[0].lower() not in believed:
        return
    for section in cut:
        said = _RESULT.match(section.text)
        if said and said[2].lower() in _RESULTS:
            yield Found(said[1].lower(), said[2].lower(), section)  # type: ignore[arg-type]  # one of them, as asked


def sections(field: str) -> list[Section]:
    """A field's value, cut at its semicolons. A quoted first word is the authserv-id. Behind a quote that is never
    closed anything may stand."""
    made: list[Section] = []
    text, comments, depth, at = "", "", 0, 0
    while piece := (_INSIDE if depth else _PIECE).match(field, at):
        word, at = piece[0], piece.end()
        if word == "(":
            depth += 1
            text += " "
        elif depth:
            depth -= word == ")"
            comments += word if depth else " "
        elif word == ";":
            made.append(Section(text, comments))
            text = comments = ""
        elif word == '"':
            break
        elif piece[1] is not None:
            text += piece[1] if not made and not text.strip() else '""'
        else:
            text += word
    return [*made, Section(text, comments)]


def _chosen(found: Sequence[Found]) -> dict[str, Found]:
    """Of one field, by method."""
    chosen: dict[str, Found] = {}
    for one in found:
        before = chosen.setdefault(one.method, one)
        if one.method == "dkim" and one.result == "pass" != before.result:
            chosen["dkim"] = one
        if one.method == "spf" and _HELO.search(before.section.text) and not _HELO.search(one.section.text):
            chosen["spf"] = one
    return chosen
