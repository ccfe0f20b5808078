"""docs/settings.md."""

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from postroom.reference.entries import Entry, entries, table
from postroom.settings.mailboxes import Mailbox
from postroom.settings.model import Settings
from postroom.settings.servers import Server


def page() -> str:
    """Each key of the top level under its own heading, the keys within it in tables."""
    tops = zip(Settings.model_fields.values(), entries(Settings), strict=True)
    return "".join(f"\n## `{entry.name}`\n\n{_section(entry, field.annotation)}" for field, entry in tops)


def _section(entry: Entry, annotation: object) -> str:
    found = list(dict.fromkeys(_models(annotation)))
    if not found:
        default = f", by default {entry.default}" if entry.default else ""
        return f"{entry.kind.capitalize()}{default}. {entry.text}\n"
    kinds = "".join(_kind(model) for model in found if issubclass(model, Mailbox | Server))
    return f"{entry.text}\n{kinds}" if kinds else f"{entry.text}\n\n{_tables(found[0])}"


def _kind(model: type[Mailbox | Server]) -> str:
    return f"\n### {model.kind}\n\n{cleandoc(model.__doc__ or '')}\n\n{_tables(model)}"


def _tables(model: type[BaseModel]) -> str:
    """The keys of a model, then those of what stands within them."""
    text = table(entries(model))
    for entry, field in zip(entries(model), model.model_fields.values(), strict=True):
        for inner in dict.fromkeys(_models(field.annotation)):
            if len(inner.model_fields) > 1:
                text += f"\nIn `{entry.name}`: {cleandoc(inner.__doc__ or '')}\n\n{_tables(inner)}"
    return text


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a value may be, or be made of."""
    if isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
