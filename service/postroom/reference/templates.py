"""docs/templates.md."""

from collections.abc import Iterable
from typing import Final

from postroom.pipeline.templates.syntax import FILTERS, TESTS
from postroom.pipeline.templates.values import ATTRIBUTES, DIRECTIVES, VALUES

TEXTS: Final = {
    "from": "the first address of From",
    "to": "the first address of To",
    "sender": "the envelope's sender",
    "recipient": "the envelope's first recipient",
    "subject": "the subject",
    "date": "its Date field, else its arrival",
    "received": "its arrival",
    "message_id": "its Message-ID",
    "size": "its size in octets",
    "list_id": "its List-Id",
    "mailbox": "the mailbox that it came from",
    "folder": "the folder that it lies in",
    "key": "a name that the message keeps, however often it is tried",
    "match": "the named groups of the patterns under this rule's `when`; of several the last",
    "facts": "what earlier steps found",
    "facts.spam": "what the step `spam` found",
    "facts.auth": "what the step `authenticate` found, and the `policy` that the sender's domain asks for",
    "facts.virus": "what the step `virus` found",
    "facts.script": "what scripts answered, by their names",
    "attachment": "the attachment that `extract` names a file for, or `strip` takes out",
}


def page() -> str:
    """All values with their attributes, filters and tests."""
    names = [*VALUES, *(name for name in TEXTS if name not in VALUES)]
    lines = ["## Values", "", "| value | what it is | attributes |", "|---|---|---|"]
    lines += [f"| `{name}` | {TEXTS[name]} | {_attributes(name)} |" for name in names]
    lines += ["", "## Filters and tests", "", f"Filters: {_listed(FILTERS)}", "", f"Tests: {_listed(TESTS)}", ""]
    lines.append(f'Directives of `received.strftime("%Y-%m")`: {_listed("%" + one for one in DIRECTIVES)}')
    return "\n".join(lines)


def _attributes(name: str) -> str:
    known = ATTRIBUTES.get(name, frozenset())
    return "any name" if known is None else _listed(known)


def _listed(names: Iterable[str]) -> str:
    return " ".join(f"`{name}`" for name in sorted(names))
