"""What a server answered: its verdict with the response code, and the data that came along."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Self

from postroom.errors import Temporary
from postroom.sources.imap import uidsets
from postroom.sources.imap.parser import Pieces
from postroom.sources.imap.values import Value, values
from postroom.sources.losses import readable

_CODE = re.compile(rb"\[([A-Za-z0-9._/=-]+) ?([^\]]*)\] ?")
_STATUS = re.compile(rb"(OK|NO|BAD|BYE|PREAUTH)(?: |\Z)", re.IGNORECASE)
_NUMBERED = re.compile(rb"(\d{1,10}) ([A-Za-z]+) ?")
_NAMED = re.compile(rb"([A-Za-z0-9-]+) ?")
_COPYUID = re.compile(rb"(\d{1,10}) (\S+) (\S+)\Z")
_APPENDUID = re.compile(rb"(\d{1,10}) (\d{1,10})\Z")
_COPIED_LIMIT = 100_000
_DIGITS = 18

Verdict = Literal["OK", "NO", "BAD", "BYE", "PREAUTH"]


class Rejected(Temporary):
    """The server answered NO or BAD to a command; `code` is its response code, upper case, or empty."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Status:
    """A verdict. `code`: the response code, upper case, or empty; `arguments`: what stands behind it."""

    verdict: Verdict
    code: str
    arguments: bytes
    text: str

    @classmethod
    def of(cls, line: bytes) -> "Status | None":
        """From a line without its tag; None where it is something else."""
        found = _STATUS.match(line)
        if found is None:
            return None
        rest = line[found.end() :]
        code = _CODE.match(rest)
        return cls(
            verdict=found[1].decode().upper(),  # type: ignore[arg-type]  # the pattern admits nothing else
            code=code[1].decode().upper() if code else "",
            arguments=code[2] if code else b"",
            text=readable(rest[code.end() :] if code else rest),
        )

    def number(self, code: str) -> int | None:
        """The number behind a code: UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ; none that no database could hold."""
        fits = self.arguments.isdigit() and len(self.arguments) <= _DIGITS
        return int(self.arguments) if self.code == code and fits else None


@dataclass(frozen=True, slots=True)
class Data:
    """An untagged response that is no status: `* 12 EXISTS` has the name EXISTS and the number 12."""

    name: str
    number: int | None
    pieces: Pieces
    start: int  # where the arguments begin in the first piece

    @classmethod
    def of(cls, pieces: Pieces) -> Self:
        """From what follows `* `."""
        if found := _NUMBERED.match(pieces[0], 2):
            return cls(found[2].decode().upper(), int(found[1]), pieces, found.end())
        found = _NAMED.match(pieces[0], 2)
        name = found[1].decode().upper() if found else ""
        return cls(name, None, pieces, found.end() if found else len(pieces[0]))

    def values(self) -> list[Value]:
        return values(self.pieces, self.start)


@dataclass(frozen=True, slots=True)
class Reply:
    """The whole answer to one command."""

    command: str
    status: Status
    statuses: tuple[Status, ...]  # untagged ones
    data: tuple[Data, ...]

    @property
    def is_ok(self) -> bool:
        return self.status.verdict == "OK"

    def named(self, name: str) -> Iterator[Data]:
        """The untagged responses of this name."""
        return (data for data in self.data if data.name == name)

    def require(self) -> Self:
        """Itself where the verdict is OK. Raises Rejected."""
        if not self.is_ok:
            code = f" [{self.status.code}]" if self.status.code else ""
            verdict = self.status.verdict
            raise Rejected(
                f"the server answers {verdict}{code} to {self.command}: {self.status.text}", self.status.code
            )
        return self

    def number(self, code: str) -> int | None:
        """The number behind a response code, wherever it came."""
        for status in (*self.statuses, self.status):
            if (number := status.number(code)) is not None:
                return number
        return None

    def copied(self) -> tuple[int, dict[int, int]] | None:
        """COPYUID (RFC 4315): UIDVALIDITY of the target, and which UID became which. MOVE has it in an untagged OK.

        None: not told. Several, as MOVE may send in parts, are taken together.
        """
        validity, pairs = 0, dict[int, int]()
        for status in (*self.statuses, self.status):
            found = _COPYUID.match(status.arguments) if status.code == "COPYUID" else None
            if found is None:
                continue
            here, there = (uidsets.read(found[part], limit=_COPIED_LIMIT) for part in (2, 3))
            if here is not None and there is not None and len(here) == len(there):
                validity = int(found[1])
                pairs.update(zip(here, there, strict=True))
        return (validity, pairs) if pairs else None

    def appended(self) -> tuple[int, int] | None:
        """APPENDUID (RFC 4315): UIDVALIDITY and UID; None: not told."""
        found = _APPENDUID.match(self.status.arguments) if self.status.code == "APPENDUID" else None
        return (int(found[1]), int(found[2])) if found else None
