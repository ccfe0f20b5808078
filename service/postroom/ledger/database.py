"""The connection to SQLite or PostgreSQL: engines, transactions, and the one clock that decides."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    StaticPool,
    create_engine,
    event,
    literal_column,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from postroom.errors import Temporary
from postroom.ledger.failures import translated
from postroom.ledger.files import prepare

_MEMORY = (None, "", ":memory:")


class Now(FunctionElement[int]):
    """Microseconds since 1970 by the clock of the database, which alone decides about leases and next
    tries."""

    type = BigInteger()
    inherit_cache = True


@compiles(Now, "sqlite")
def _sqlite_now(_element: Now, _compiler: SQLCompiler, **_options: Any) -> str:
    # julianday() counts milliseconds; rounding takes the float's error away. unixepoch('subsec') needs 3.42.
    return "(CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000)"


@compiles(Now, "postgresql")
def _postgresql_now(_element: Now, _compiler: SQLCompiler, **_options: Any) -> str:
    return "CAST(extract(epoch from clock_timestamp()) * 1000000 AS BIGINT)"


def excluded(name: str) -> ColumnElement[Any]:
    """The value that an INSERT ..

    ON CONFLICT would have given this column. SQLAlchemy's own builds a whole table.
    """
    return literal_column(f"excluded.{name}")


class Database:
    """An engine and how to take part in it. Safe to share between threads."""

    def __init__(self, engine: Engine, place: str, insert: Callable[..., Any]) -> None:
        self.engine = engine
        self.place = place
        self.insert = insert  # the dialect's own, which knows ON CONFLICT
        self._reader = engine.execution_options(postroom_reads=True)
        sqlite = engine.dialect.name == "sqlite"
        # Threads of one process queue here; SQLite itself would have them poll.
        self._writers = threading.RLock() if sqlite else None
        self._alone = sqlite and isinstance(engine.pool, StaticPool)

    @property
    def is_sqlite(self) -> bool:
        return self._writers is not None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that commits at the end. Raises Temporary or Permanent with a sentence."""
        with self._lock(self._writers is not None), translated(self.place), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that only reads, and sees one state of things on SQLite."""
        with self._lock(self._alone), translated(self.place), self._reader.begin() as connection:
            yield connection

    def close(self) -> None:
        with translated(self.place):
            self.engine.dispose()

    def _lock(self, wanted: bool) -> AbstractContextManager[Any]:
        return self._writers if wanted and self._writers is not None else nullcontext()


def connect(url: str, *, password: str | None, create: bool, wait: timedelta) -> Database:
    """A database by its URL: `sqlite:////path`, `sqlite://` in memory, `postgresql://user@host/name`."""
    parsed = _parsed(url, password)
    place = parsed.database if parsed.get_backend_name() == "sqlite" else parsed.render_as_string()
    with translated(place or "in memory"):
        match parsed.get_backend_name():
            case "sqlite":
                return _sqlite(parsed, create, wait)
            case "postgresql":
                return _postgresql(parsed, wait)
            case other:
                raise Temporary(f"ledger.url names {other}: a ledger is sqlite or postgresql")


def _parsed(url: str, password: str | None) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        # Without the cause: its text holds the URL, and that may hold a password.
        raise Temporary("ledger.url is no URL: write sqlite:////path or postgresql://user@host/name") from None
    return parsed if password is None else parsed.set(password=password)


def _sqlite(url: URL, create: bool, wait: timedelta) -> Database:
    from sqlalchemy.dialects.sqlite import insert

    options: dict[str, Any] = {"connect_args": {"timeout": wait.total_seconds()}}
    if url.database in _MEMORY:
        options = {"connect_args": {"check_same_thread": False}, "poolclass": StaticPool}
    else:
        prepare(Path(str(url.database)), create=create)
    engine = create_engine(url.set(drivername="sqlite+pysqlite"), hide_parameters=True, **options)
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return Database(engine, url.database or "in memory", insert)


def _configure(connection: Any, _record: object) -> None:
    # We say BEGIN ourselves; the driver's own habit would take the lock too late.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    # FULL: a commit survives a power failure. NORMAL may lose the last ones, and with them a "sent" mark.
    connection.execute("PRAGMA synchronous = FULL")


def _begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get("postroom_reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _postgresql(url: URL, wait: timedelta) -> Database:
    from sqlalchemy.dialects.postgresql import insert

    seconds = max(1, round(wait.total_seconds()))
    # A server that vanished without a word, and a row that somebody holds, are waited for no longer than a lock is
    # on SQLite; a process of ours that was stopped in the middle of a transaction lets go of its rows.
    arguments = {
        "connect_timeout": seconds,
        "application_name": "postroom",
        "keepalives_idle": seconds,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": (seconds + 30) * 1000,
    }
    engine = create_engine(url.set(drivername="postgresql+psycopg"), hide_parameters=True, connect_args=arguments)

    def bounded(connection: Any, _record: object) -> None:
        connection.execute(f"SET lock_timeout = '{seconds}s'")
        connection.execute(f"SET idle_in_transaction_session_timeout = '{seconds + 30}s'")
        connection.commit()

    event.listen(engine, "connect", bounded)
    return Database(engine, url.render_as_string(), insert)
