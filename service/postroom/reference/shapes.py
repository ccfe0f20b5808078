"""docs/json.md."""

import inspect
import re
from collections.abc import Iterator
from typing import Any, Final, get_type_hints

from pydantic import BaseModel

from postroom.cli.shapes import (
    CheckShape,
    ConnectionShape,
    EffectShape,
    ExplanationShape,
    MessageShape,
    ProblemShape,
    RuleShape,
    SeenShape,
    StatusShape,
    VerdictShape,
    WhyShape,
)
from postroom.message import Address, Header, Message, Part, parse
from postroom.pipeline.plan import Asked, Line
from postroom.pipeline.view import Auth, Envelope, Facts, Spam
from postroom.reference.entries import docstrings
from postroom.reference.kinds import spelled
from postroom.steps.payload import PayloadShape, WebhookShape

OUTPUTS: Final[dict[str, tuple[str, tuple[type[BaseModel], ...]]]] = {
    "messages --json": ("A list of these; `show ID --json`: one.", (MessageShape, EffectShape)),
    "explain --json": (
        "A list of these, one for each file.",
        (ExplanationShape, RuleShape, Asked, WhyShape, Facts, Spam, Auth, Line),
    ),
    "status --json": ("One of these; with `--watch` one in each line.", (StatusShape, SeenShape)),
    "check --json": ("One of these.", (CheckShape, ProblemShape, ConnectionShape)),
    "test --json": ("A list of these.", (VerdictShape,)),
    "webhook": (
        "What the step [`webhook`](steps.md#webhook) sends.",
        (WebhookShape, PayloadShape, Envelope),
    ),
}
SAMPLE: Final = b"From: a@example.org\n\n"


def page() -> str:
    """What each command prints, then the message."""
    text = ""
    for command, (about, models) in OUTPUTS.items():
        text += f"\n## `{command}`\n\n{about}\n" + "".join(_section(model, _fields(model)) for model in models)
    text += '\n## `Message.model_dump(mode="json")`\n\n`message` of `explain --json` and of `webhook`, too.\n'
    return text + "".join(_section(model, _dumped(model)) for model in (Message, Address, Header, Part))


def _section(model: type[BaseModel], rows: Iterator[tuple[str, str, str]]) -> str:
    prose = _json(inspect.cleandoc(model.__doc__ or ""))
    lines = [f"\n### {model.__name__.removesuffix('Shape')}\n", f"{prose}\n", "| key | value | |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {kind} | {text} |" for name, kind, text in rows)]) + "\n"


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, str, str]]:
    told = _told(model)
    for name, field in model.model_fields.items():
        yield name, spelled(field.annotation, field.metadata), field.description or _json(told.get(name, ""))


def _dumped(model: type[BaseModel]) -> Iterator[tuple[str, str, str]]:
    """The keys that a dump has, though they are properties."""
    message = parse(SAMPLE)
    one: Any = {
        Message: message,
        Part: message.parts[0],
        Address: message.from_[0],
        Header: next(iter(message.headers)),
    }[model]
    told = _told(model)
    for key in one.model_dump(mode="json"):
        name = key if hasattr(one, key) else f"{key}_"
        yield key, spelled(_type(model, name)), _json(told.get(name, ""))


def _json(text: str) -> str:
    """What Python calls None."""
    return re.sub(r"\bNone\b", "`null`", text)


def _type(model: type[BaseModel], name: str) -> Any:
    if name in model.model_fields:
        return model.model_fields[name].annotation
    found = inspect.getattr_static(model, name)
    compute = getattr(found, "fget", None) or getattr(found, "func", None) or getattr(found, "_compute", None)
    assert compute is not None, name
    return get_type_hints(compute)["return"]


def _told(model: type[BaseModel]) -> dict[str, str]:
    """Docstrings of the attributes, inherited ones included."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if issubclass(cls, BaseModel) and cls.__module__.startswith("postroom."):
            found |= docstrings(cls)
    return found
