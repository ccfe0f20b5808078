"""PostgreSQL as the ledger's database."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from postroom.errors import Temporary
from postroom.ledger.database import Found, Values
from postroom.ledger.statements import Statement

_DURABLE: Final = """
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""


class Postgresql:
    """The driver. `password`: instead of one in the URL."""

    errors = psycopg
    queues = False
    alone = False

    def __init__(self, url: str, *, password: str | None, wait: timedelta) -> None:
        self.place = _place(url)
        self._seconds = max(1, round(wait.total_seconds()))
        # A server that vanished without a word, and a row that somebody holds, are waited for no longer than a lock
        # is on SQLite; a process of ours that was stopped in the middle of a transaction lets go of its rows.
        self._parameters: dict[str, Any] = {
            "connect_timeout": self._seconds,
            "application_name": "postroom",
            "keepalives_idle": self._seconds,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": (self._seconds + 30) * 1000,
            **_parameters(url),
        }
        if password is not None:
            self._parameters["password"] = password

    def open(self) -> "psycopg.Connection[Any]":
        session = psycopg.connect(**self._parameters, autocommit=True, row_factory=dict_row)
        session.execute(f"SET lock_timeout = '{self._seconds}s'")
        # Whatever is set for others: a commit survives a power failure.
        session.execute(_DURABLE)
        session.execute(f"SET idle_in_transaction_session_timeout = '{self._seconds + 30}s'")
        return session

    def begin(self, session: "psycopg.Connection[Any]", *, writes: bool) -> None:
        """A statement that only reads is a transaction of its own, and saves two ways to the server."""
        session.autocommit = not writes

    def rows(self, session: Any, statement: Statement, values: Values) -> list[Found]:
        found: list[Found] = session.execute(statement.postgresql, _bound(statement, values)).fetchall()
        return found

    def rows_of_all(self, session: Any, statement: Statement, values: Sequence[Values]) -> list[Found]:
        cursor = session.cursor()
        cursor.executemany(statement.postgresql, values, returning=True)
        found: list[Found] = cursor.fetchall()
        while cursor.nextset():
            found += cursor.fetchall()
        return found

    def run(self, session: Any, statement: Statement, values: Values) -> int:
        return int(session.execute(statement.postgresql, _bound(statement, values)).rowcount)

    def run_all(self, session: Any, statement: Statement, values: Sequence[Values]) -> int:
        if len(values) == 1:
            return self.run(session, statement, values[0])
        cursor = session.cursor()
        cursor.executemany(statement.postgresql, values)
        return int(cursor.rowcount)


def _bound(statement: Statement, values: Values) -> Values:
    if not statement.lists:
        return values
    return {**values, **{name: list(values[name]) for name in statement.lists}}


def _parameters(url: str) -> dict[str, Any]:
    try:
        return dict(conninfo_to_dict(url))
    except psycopg.ProgrammingError:
        # Without the cause: its text holds the URL, and that may hold a password.
        raise Temporary("ledger.url is no URL: write sqlite:////path or postgresql://user@host/name") from None


def _place(url: str) -> str:
    """The URL without its password and options."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{user.partition(':')[0]}{at}{host}{parts.path}"
