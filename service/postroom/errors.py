"""Every error that crosses a boundary, each saying whether a later try may help.

    PostroomError
    ├── Temporary        a later try may work: LMTP 451, exit 75, a later effect
    │   ├── Fenced       the lease went to another owner: stop before the next effect
    │   └── Held         another message holds the reservation that this one needs
    ├── Permanent        no later try helps: the effect is dead, the message is kept
    ├── Uncertain        it may have been done: the operator's policy decides
    └── Misconfigured    the operator's files: every problem found, with file:line:column

An error that is none of these is a bug of ours and counts as temporary.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final


class PostroomError(Exception):
    """Carries text fit for an operator and never a value from a message or a secret."""

    temporary: ClassVar[bool] = True


class Temporary(PostroomError):  # noqa: N818 - reads as a verdict where it is raised
    """A later try may work. `after`: when, where whoever refused said so."""

    def __init__(self, text: str = "", *, after: timedelta | None = None) -> None:
        super().__init__(text)
        self.after = after


class Fenced(Temporary):
    """The row's lease belongs to somebody else now."""


class Held(Temporary):
    """Another message holds a reservation; this one waits for its end."""


class Permanent(PostroomError):  # noqa: N818 - reads as a verdict where it is raised
    """No later try will work."""

    temporary: ClassVar[bool] = False


class Uncertain(PostroomError):  # noqa: N818 - reads as a verdict where it is raised
    """The effect may have been done although its confirmation was lost. `holds`: no further try before a person
    looked."""

    temporary: ClassVar[bool] = False

    def __init__(self, text: str, *, holds: bool = False) -> None:
        super().__init__(text)
        self.holds = holds


_NUMBER: Final = re.compile(r"\[Errno (\d+)\]")


def cause(error: BaseException) -> str:
    """Why, in the system's words where its error stands behind this one; else its kind. Never what a peer said."""
    found: BaseException | None = error
    while found is not None:
        if "Authentication" in type(found).__name__:
            return "the password is wrong or missing"
        if isinstance(found, TimeoutError):
            return "no answer in time"
        if isinstance(found, OSError):
            several = _NUMBER.search(str(found))  # one for each address of the host
            number = found.errno or (int(several[1]) if several else 0)
            if told := os.strerror(number) if number > 0 else found.strerror:
                return told[0].lower() + told[1:]
        found = found.__cause__ or found.__context__
    return type(error).__name__


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in an operator's file.

    `path` leads to it through keys and list indexes from the document's root; `key` says that the key itself is
    wrong, not its value. The loader turns the path into line and column.
    """

    path: tuple[str | int, ...]
    text: str
    key: bool = False


@dataclass(frozen=True, slots=True)
class Located:
    """A problem with its place: prints as `file:line:column: path: text`. Line and column count from 1."""

    file: str
    line: int
    column: int
    problem: Problem

    def __str__(self) -> str:
        path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in self.problem.path).lstrip(".")
        where = f"{self.file}:{self.line}:{self.column}: "
        return where + (f"{path}: " if path else "") + self.problem.text


class Misconfigured(PostroomError):  # noqa: N818 - reads as a verdict where it is raised
    """The configuration cannot be used; `problems` holds all that was found."""

    temporary: ClassVar[bool] = False

    def __init__(self, problems: Sequence[Located]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
