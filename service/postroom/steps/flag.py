"""The steps `flag` and `unflag`."""

import re
from collections.abc import Iterator
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, Field

from postroom.model import OneOrMore
from postroom.pipeline.outcome import Flags, Outcome
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View

# RFC 9051 flag-keyword is an atom; of the system flags all but \\Recent can be set.
_KEYWORD: Final = re.compile(r"[^\x00-\x20\x7f-\uffff(){%*\"\\\]]{1,100}")
_SYSTEM: Final = {flag.lower(): flag for flag in (r"\Seen", r"\Answered", r"\Flagged", r"\Deleted", r"\Draft")}


def _flag(text: str) -> str:
    flag = _SYSTEM.get(text.lower(), text)
    if known := _SYSTEM.get(f"\\{text.lower()}"):
        raise ValueError(f"IMAP's own flag is `{known}`, in single quotes: '{known}'")
    if flag not in _SYSTEM.values() and not _KEYWORD.fullmatch(flag):
        raise ValueError("a flag is written as IMAP does: \\Seen, \\Flagged, or a keyword such as $Junk")
    return flag


FlagNames = Annotated[tuple[Annotated[str, AfterValidator(_flag)], ...], OneOrMore]


class FlagStep(Step):
    """Sets flags and keywords as IMAP writes them. Quote a backslash in YAML with single quotes.

    - flag: '\\Seen'
    - flag: ['\\Flagged', $Work]
    """

    word: ClassVar[str] = "flag"
    kind: ClassVar[Kind] = "home"
    main: ClassVar[str | None] = "flags"

    flags: FlagNames = Field(min_length=1, description="System flags (`\\Seen`) and keywords (`$Junk`).")

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        yield Flags(add=frozenset(self.flags))


class UnflagStep(Step):
    """Removes flags and keywords, set before by another rule or by somebody else.

    - unflag: $Junk
    """

    word: ClassVar[str] = "unflag"
    kind: ClassVar[Kind] = "home"
    main: ClassVar[str | None] = "flags"

    flags: FlagNames = Field(min_length=1, description="System flags (`\\Seen`) and keywords (`$Junk`).")

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        yield Flags(remove=frozenset(self.flags))
