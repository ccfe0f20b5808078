"""SQLite as the ledger's database: write-ahead log, every commit on the disk, one writer at a time."""

import json
import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from postroom.ledger.database import Found, Values
from postroom.ledger.failures import translated
from postroom.ledger.files import prepare
from postroom.ledger.statements import Statement

_STATEMENTS = 256  # that a connection keeps prepared: more than we have


class Sqlite:
    """The driver. An empty path: in memory, for one process."""

    errors = sqlite3
    queues = True

    def __init__(self, path: str, *, create: bool, wait: timedelta) -> None:
        self.alone = path in ("", ":memory:")
        self.place = "in memory" if self.alone else path
        self._path = path or ":memory:"
        self._wait = wait.total_seconds()
        if not self.alone:
            with translated(self.place, sqlite3):
                prepare(Path(path), create=create)

    def open(self) -> sqlite3.Connection:
        """We say BEGIN ourselves: the driver's own habit would take the lock too late."""
        session = sqlite3.connect(
            self._path,
            timeout=self._wait,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_STATEMENTS,
        )
        session.row_factory = sqlite3.Row
        session.execute("PRAGMA journal_mode = WAL")
        # FULL: a commit survives a power failure. NORMAL may lose the last ones, and with them a "sent" mark.
        session.execute("PRAGMA synchronous = FULL")
        return session

    def begin(self, session: sqlite3.Connection, *, writes: bool) -> None:
        session.execute("BEGIN IMMEDIATE" if writes else "BEGIN")

    def rows(self, session: sqlite3.Connection, statement: Statement, values: Values) -> list[Found]:
        return session.execute(statement.sqlite, _bound(statement, values)).fetchall()

    def rows_of_all(self, session: sqlite3.Connection, statement: Statement, values: Sequence[Values]) -> list[Found]:
        return [found for each in values for found in self.rows(session, statement, each)]

    def run(self, session: sqlite3.Connection, statement: Statement, values: Values) -> int:
        return session.execute(statement.sqlite, _bound(statement, values)).rowcount

    def run_all(self, session: sqlite3.Connection, statement: Statement, values: Sequence[Values]) -> int:
        return session.executemany(statement.sqlite, values).rowcount


def _bound(statement: Statement, values: Values) -> Values:
    """Lists are handed over as JSON."""
    if not statement.lists:
        return values
    return {**values, **{name: json.dumps(list(values[name])) for name in statement.lists}}
