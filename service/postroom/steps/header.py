"""The step `header`."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from postroom.message import AddHeader, RemoveHeader, SetHeader
from postroom.model import OneOrMore
from postroom.pipeline.globs import Glob
from postroom.pipeline.outcome import Edited, Outcome
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.templates import HeaderTemplate
from postroom.pipeline.text import folded
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View


def _field_name(name: str) -> str:
    """RFC 5322 §3.6.8: printable ASCII but the colon; RFC 5322 §2.1.1: with its value on a line of 78."""
    if not re.fullmatch(r"[!-9;-~]{1,76}", name):
        raise ValueError("a header name is printable ASCII without space or colon (RFC 5322 §3.6.8)")
    return name


Name = Annotated[str, AfterValidator(_field_name)]


class HeaderStep(Step):
    """Removes, sets and adds header fields, in that order. `remove` takes names and globs of names; `set` puts one
    field in place of all of that name; `add` puts one more on top. Later rules see the new header.

        - header: {remove: ["X-Spam-*"], set: {X-Priority: "3"}, add: {X-Origin: "{{ from.domain }}"}}
    """

    word: ClassVar[str] = "header"
    kind: ClassVar[Kind] = "edit"

    remove: Annotated[tuple[Name, ...], OneOrMore] = Field(default=(), description="Names, or globs of names.")
    set_: Mapping[Name, HeaderTemplate] = Field(
        default={}, alias="set", description="Fields that take the place of all of their name."
    )
    add: Mapping[Name, HeaderTemplate] = Field(default={}, description="Fields that are put on top.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.remove or self.set_ or self.add):
            raise ValueError("give at least one of `remove`, `set`, `add`")
        return self

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        for name in self.remove:
            # Where there are more fields than the limit allows, one of that name may lie behind it.
            if view.message.headers.cut or _present(name, view):
                yield Edited(RemoveHeader(name=name), f"remove {name}")
        for name, template in self.set_.items():
            value = template.render(view, tools)
            yield Edited(SetHeader(name=name, value=value), f"set {name}: {value}")
        for name, template in self.add.items():
            value = template.render(view, tools)
            yield Edited(AddHeader(name=name, value=value), f"add {name}: {value}")


def _present(name: str, view: View) -> bool:
    glob = Glob(name.replace("\\", "\\\\"))  # no escapes in names: a backslash is one of their characters
    return any(glob.match(folded(header.name)) for header in view.message.headers)
