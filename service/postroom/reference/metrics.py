"""docs/metrics.md."""

from collections.abc import Collection, Mapping
from typing import Final, get_args

from postroom.ledger.rows import Counts, State
from postroom.logs import Event, Fields
from postroom.message.defects import Defect
from postroom.metrics import Outcome, Result, Ring
from postroom.metrics.prometheus import Metrics
from postroom.metrics.standing import Asked, Questions
from postroom.pipeline.tools import ScannerName
from postroom.sources import Loss

SETS: Final[Mapping[str, Collection[str]]] = {
    "outcome": get_args(Outcome),
    "result": get_args(Result),
    "state": tuple(State),
    "asked": get_args(Asked),
    "class": ("2xx", "3xx", "4xx", "5xx", "other"),
    "defect": tuple(Defect),
    "scanner": get_args(ScannerName),
}
REASONS: Final[Mapping[str, Collection[str]]] = {
    "queue_rings_total": get_args(Ring),
    "mailbox_reconnects_total": get_args(Loss),
}


def page() -> str:
    """Each metric under its own heading, then the events of the log."""
    return f"{_metrics()}\n{_events()}"


def _metrics() -> str:
    metrics = Metrics()
    metrics.ask(Questions(counts=Counts, backlogs=dict, queue=lambda: 0, free=lambda: 0))
    found = {family.name: family for family in metrics.registry.collect()}
    return "\n".join(
        _section(
            name, found[name.removesuffix("_total")].type, found[name.removesuffix("_total")].documentation, labels
        )
        for name, labels in sorted(metrics.labels.items())
    )


def _section(name: str, kind: str, told: str, labels: Collection[str]) -> str:
    lines = [f"## `{name}`\n", f"A {kind}. {told}\n"]
    if labels:
        lines += ["| label | |", "|---|---|", *(f"| `{label}` | {_values(name, label)} |" for label in labels), ""]
    return "\n".join(lines)


def _values(name: str, label: str) -> str:
    known = SETS.get(label) or REASONS.get(name.removeprefix("postroom_"), ())
    if label == "defect":
        return "one of [defects.md](defects.md)"
    if not known:
        return {"word": "a step or effect", "rule": "a rule's name"}.get(label, f"a {label}'s name") + ", or `other`"
    return ", ".join(f"`{one}`" for one in known)


def _events() -> str:
    events = "".join(f"- `{event}`\n" for event in get_args(Event))
    fields = ", ".join(f"`{field}`" for field in Fields.__annotations__)
    return f"## Events of the log\n\n{events}\nFields, where they are known: {fields}.\n"
