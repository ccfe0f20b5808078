"""The step `subject`."""

import re
from collections.abc import Iterator
from typing import ClassVar, Final, Self
from unicodedata import normalize

from pydantic import Field, model_validator

from postroom.message import SetHeader
from postroom.pipeline.outcome import Edited, Outcome
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.templates import HeaderTemplate
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View

# What mail programs put before the subject they answer: `Re:`, `AW:`, `Fwd:`, `Re[2]:`.
_ANSWER: Final = re.compile(r"(?:\s{0,9}(?:re|aw|antw|sv|vs|fwd?|wg|tr|rif|rv)(?:\[\d{1,4}\])?\s?:)+\s*", re.IGNORECASE)


class SubjectStep(Step):
    """Changes the subject: sets it, or puts a prefix or a suffix to it, one space between. A prefix or suffix that is
    there already is not added again, nor a prefix that stands behind `Re:` or the like. The new subject is encoded
    and folded as RFC 2047 and 5322 ask; no other octet of the message changes.

        - subject: "{{ subject }} (from {{ from.domain }})"
        - subject: {prefix: "[dev]"}
    """

    word: ClassVar[str] = "subject"
    kind: ClassVar[Kind] = "edit"
    main: ClassVar[str | None] = "set"

    text: HeaderTemplate | None = Field(default=None, alias="set", description="The new subject.")
    prefix: HeaderTemplate | None = Field(default=None, description="What is put in front.")
    suffix: HeaderTemplate | None = Field(default=None, description="What is put behind.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.text is None) == (self.prefix is None and self.suffix is None):
            raise ValueError("give either `set`, or `prefix` or `suffix` or both")
        return self

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        old = view.message.subject or ""
        if self.text is not None:
            new = changed(old, self.text.render(view, tools))
        else:
            new = self._with_marks(old, view, tools)
        if new is not None and _same(new) != _same(old):
            yield Edited(SetHeader(name="Subject", value=new), new)

    def _with_marks(self, old: str, view: View, tools: Tools) -> str:
        new = old
        prefix = self.prefix.render(view, tools).strip() if self.prefix else ""
        suffix = self.suffix.render(view, tools).strip() if self.suffix else ""
        if not _starts(new, prefix):
            new = f"{prefix} {new}".strip()
        if not _same(new).endswith(_same(suffix)):
            new = f"{new} {suffix}".strip()
        return new


def changed(old: str, new: str) -> str | None:
    """`new`, or None where nothing is to be done: it is the old subject, or the old one with a mark in front that
    the old one has already."""
    before, after = _same(old), _same(new)
    mark = after.removesuffix(before)
    marked = mark not in ("", after) and _starts(before, mark)
    return None if before == after or marked else new


def _starts(subject: str, mark: str) -> bool:
    answered = _ANSWER.match(subject)
    rest = subject[answered.end() :] if answered else subject
    return any(_same(text).startswith(_same(mark)) for text in (subject, rest))


def _same(text: str) -> str:
    return " ".join(normalize("NFC", text).split())
