"""What templates see of a message: small closed values, each printing as its most useful text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from postroom.message import Address
from postroom.pipeline.templates.contexts import Answer, printable
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import Facts, View

ADDRESS: Final = frozenset({"spec", "name", "local", "domain", "detail"})
MOMENT: Final = frozenset({"year", "month", "day", "hour", "minute", "second", "date", "time", "week", "weekday"})
ATTACHMENT: Final = frozenset({"name", "type", "size"})
SPAM: Final = frozenset({"score", "verdict", "symbols"})
AUTH: Final = frozenset({"dkim", "spf", "dmarc", "arc", "policy"})
VIRUS: Final = frozenset({"found", "names"})
FACTS: Final = frozenset({"spam", "virus", "auth", "duplicate", "tags", "script"})
DIRECTIVES: Final = frozenset("aAbBdHIjmMpSuVGyY%")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address; prints as its `local@domain`."""

    name: str = ""
    local: str = ""
    domain: str = ""
    detail: str = ""
    spec: str = ""

    def __str__(self) -> str:
        return self.spec

    def __bool__(self) -> bool:
        return bool(self.spec)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in the configured zone; its parts are text padded with zeros, so that they sort in file names."""

    at: datetime

    def __getattr__(self, name: str) -> str:
        # Only names that have passed the check when the template was read get here, or a misspelt one in our code.
        if name not in _MOMENTS:
            raise AttributeError(name)
        return _MOMENTS[name](self.at)

    def strftime(self, form: str) -> str:
        return self.at.strftime(form)

    def __str__(self) -> str:
        return self.at.isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class AttachmentValue:
    """The attachment that `extract` names a file for or `strip` takes out; prints as its file name."""

    name: str
    type: str
    size: int

    def __str__(self) -> str:
        return self.name


_MOMENTS: Final[Mapping[str, Callable[[datetime], str]]] = {
    "year": lambda at: f"{at.year:04d}",
    "month": lambda at: f"{at.month:02d}",
    "day": lambda at: f"{at.day:02d}",
    "hour": lambda at: f"{at.hour:02d}",
    "minute": lambda at: f"{at.minute:02d}",
    "second": lambda at: f"{at.second:02d}",
    "date": lambda at: at.date().isoformat(),
    "time": lambda at: f"{at:%H:%M:%S}",
    "week": lambda at: f"{at.isocalendar().week:02d}",
    "weekday": lambda at: ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[at.weekday()],
}


def _mailbox(address: Address | None) -> Mailbox:
    if address is None:
        return Mailbox()
    return Mailbox(address.name, address.local, address.domain, address.detail, address.spec)


def _envelope(text: str | None) -> Mailbox:
    from postroom.message.address import parse_address

    return _mailbox(parse_address(text) if text else None)


def moment(at: datetime, zone: tzinfo) -> Moment:
    """`at` in the zone; a time at the edge of the calendar stays in its own, since the sender chose it."""
    try:
        return Moment(at.astimezone(zone))
    except (OverflowError, ValueError):
        return Moment(at)


def _facts(facts: Facts) -> Mapping[str, object]:
    """Facts as nested mappings; what is unknown is empty text."""
    spam, auth = facts.spam, facts.auth
    told = {
        "spam": {
            "score": "" if spam is None or spam.score is None else spam.score,
            "verdict": "" if spam is None or spam.verdict is None else spam.verdict,
            "symbols": () if spam is None else spam.symbols,
        },
        "auth": {name: ("" if auth is None else getattr(auth, name)) or "" for name in AUTH},
        "virus": {
            "found": "" if facts.virus is None else facts.virus.found,
            "names": () if facts.virus is None else facts.virus.names,
        },
        "duplicate": "" if facts.duplicate is None else facts.duplicate,
        "tags": facts.tags,
        "script": dict(facts.script),
    }
    return Answer((name, printable(value)) for name, value in told.items())


VALUES: Final[Mapping[str, Callable[[View, Tools], object]]] = {
    "from": lambda view, _: _mailbox(next(iter(view.message.from_), None)),
    "to": lambda view, _: _mailbox(next(iter(view.message.to), None)),
    "sender": lambda view, _: _envelope(view.envelope.sender),
    "recipient": lambda view, _: _envelope(next(iter(view.envelope.recipients), None)),
    "subject": lambda view, _: view.message.subject or "",
    "date": lambda view, tools: moment(view.message.date or view.received, tools.timezone),
    "received": lambda view, tools: moment(view.received, tools.timezone),
    "message_id": lambda view, _: view.message.message_id or "",
    "size": lambda view, _: view.message.size,
    "list_id": lambda view, _: view.message.list_id or "",
    "mailbox": lambda view, _: view.mailbox,
    "folder": lambda view, _: view.folder,
    "key": lambda view, _: view.key,
    "match": lambda view, _: view.match,
    "facts": lambda view, _: _facts(view.facts),
}
"""Every name that a template may use, and how its value is found; worked out only where the template names it."""

ATTRIBUTES: Final[Mapping[str, frozenset[str] | None]] = {
    **dict.fromkeys(("from", "to", "sender", "recipient"), ADDRESS),
    **dict.fromkeys(("date", "received"), MOMENT),
    "attachment": ATTACHMENT,
    "facts": FACTS,
    "facts.spam": SPAM,
    "facts.auth": AUTH,
    "facts.virus": VIRUS,
    "facts.script": None,
    "match": None,
}
"""What follows a dot; None: any name (groups of patterns, keys that a script chose)."""
