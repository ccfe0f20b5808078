"""SQL as text, the same for SQLite and PostgreSQL; the few things that they say differently are known here alone.

`:name` stands for a value, `IN :name` and `NOT IN :name` take a list of any length. `NOW` is the database's clock,
which alone decides about leases and next tries: microseconds since 1970. `FOR UPDATE` says nothing on SQLite, whose
writers are alone anyway. `+column` keeps SQLite, which cannot know how short a list is, from the column's index. `ID`
and `OCTETS` are types of columns.
"""

import re
from dataclasses import dataclass

_SQLITE = {
    # julianday() counts milliseconds; rounding takes the float's error away. unixepoch('subsec') needs 3.42.
    "NOW": "(CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000)",
    "ID": "INTEGER",  # exactly this type, or it does not number rows by itself
    "OCTETS": "BLOB",
}
_POSTGRESQL = {
    "NOW": "CAST(extract(epoch from clock_timestamp()) * 1000000 AS BIGINT)",
    "ID": "BIGSERIAL",
    "OCTETS": "BYTEA",
}
_OURS = re.compile(r"\b(NOW|ID|OCTETS)\b")
_LOCKING = re.compile(r"\s+FOR UPDATE( SKIP LOCKED)?")
_PLUS = re.compile(r"(?<=\s)\+(?=\w)")
_NOT_LIST = re.compile(r"\bNOT IN :(\w+)")
_LIST = re.compile(r"\bIN :(\w+)")
_VALUE = re.compile(r":(\w+)")


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """One statement as each of the databases takes it. `lists`: values that are lists."""

    sqlite: str
    postgresql: str
    lists: tuple[str, ...]


def sql(text: str) -> Statement:
    """Made once, when its module is imported."""
    text = " ".join(text.split())
    sqlite = _LOCKING.sub("", _OURS.sub(lambda found: _SQLITE[found[0]], text))
    postgresql = _PLUS.sub("", _OURS.sub(lambda found: _POSTGRESQL[found[0]], text))
    postgresql = _NOT_LIST.sub(r"<> ALL (:\1)", postgresql)
    return Statement(
        sqlite=_LIST.sub(r"IN (SELECT value FROM json_each(:\1))", sqlite),
        postgresql=_VALUE.sub(r"%(\1)s", _LIST.sub(r"= ANY (:\1)", postgresql)),
        lists=tuple(_LIST.findall(text)),
    )
