"""Transactions on SQLite or PostgreSQL, on connections that are kept and shared between threads."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any, Protocol

from postroom.errors import Temporary
from postroom.ledger.failures import translated
from postroom.ledger.statements import Statement

MOST = 15  # connections of one process
Values = Mapping[str, Any]
Found = Any  # a row: gives the value of a column for its name, and can be made a dict


class Driver(Protocol):
    """What the two databases do differently. `place`: which ledger, without a password. `errors`: a module with the
    exceptions of PEP 249. `queues`: only one may write at a time. `alone`: one connection holds all the data."""

    @property
    def place(self) -> str: ...
    @property
    def errors(self) -> Any: ...
    @property
    def queues(self) -> bool: ...
    @property
    def alone(self) -> bool: ...

    def open(self) -> Any: ...
    def begin(self, session: Any, *, writes: bool) -> None: ...
    def rows(self, session: Any, statement: Statement, values: Values) -> list[Found]: ...
    def rows_of_all(self, session: Any, statement: Statement, values: Sequence[Values]) -> list[Found]: ...
    def run(self, session: Any, statement: Statement, values: Values) -> int: ...
    def run_all(self, session: Any, statement: Statement, values: Sequence[Values]) -> int: ...


class Connection:
    """One transaction."""

    __slots__ = ("_driver", "_session")

    def __init__(self, driver: Driver, session: Any) -> None:
        self._driver = driver
        self._session = session

    def rows(self, statement: Statement, **values: Any) -> list[Found]:
        """All rows that it answers."""
        return self._driver.rows(self._session, statement, values)

    def rows_of_all(self, statement: Statement, values: Iterable[Values]) -> list[Found]:
        """The same for each of the values; none are fine."""
        every = list(values)
        return self._driver.rows_of_all(self._session, statement, every) if every else []

    def row(self, statement: Statement, **values: Any) -> Found | None:
        """The first row, if any."""
        return next(iter(self.rows(statement, **values)), None)

    def column(self, name: str, statement: Statement, **values: Any) -> list[Any]:
        """The values of one column."""
        return [found[name] for found in self.rows(statement, **values)]

    def run(self, statement: Statement, **values: Any) -> int:
        """How many rows it changed."""
        return self._driver.run(self._session, statement, values)

    def run_all(self, statement: Statement, values: Iterable[Values]) -> int:
        """The same with each of the values; none are fine."""
        every = list(values)
        return self._driver.run_all(self._session, statement, every) if every else 0


class Database:
    """A database and how to take part in it. Safe to share between threads, whose transactions do not nest."""

    def __init__(self, driver: Driver, wait: timedelta) -> None:
        self._driver = driver
        self._wait = wait.total_seconds()
        # Read and written on different ones: those of SQLite forget what they know when another has written.
        self._idle: tuple[list[Any], list[Any]] = ([], [])
        self._free = threading.BoundedSemaphore(1 if driver.alone else MOST)
        # Threads of one process queue here; SQLite itself would have them poll.
        self._turn: AbstractContextManager[Any] = threading.Lock() if driver.queues else nullcontext()

    @property
    def place(self) -> str:
        """The ledger's name for people."""
        return self._driver.place

    @property
    def is_sqlite(self) -> bool:
        return self._driver.queues

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that commits at the end. Raises Temporary or Permanent with a sentence."""
        with self._turn, self._transaction(writes=True) as connection:
            yield connection

    def reading(self) -> AbstractContextManager[Connection]:
        """One transaction that only reads, and sees one state of things on SQLite."""
        return self._transaction(writes=False)

    def close(self) -> None:
        """End the connections that nobody uses."""
        for idle in self._idle:
            while idle:
                idle.pop().close()

    @contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        driver = self._driver
        with (
            translated(driver.place, driver.errors),
            self._borrowed(self._idle[writes and not driver.alone]) as session,
        ):
            driver.begin(session, writes=writes)
            yield Connection(driver, session)
            session.commit()

    @contextmanager
    def _borrowed(self, idle: list[Any]) -> Iterator[Any]:
        if not self._free.acquire(timeout=self._wait):
            raise Temporary(f"the ledger {self.place} cannot be used: all its connections are busy for too long")
        try:
            session = self._taken(idle)
            try:
                yield session
            except BaseException as error:
                self._failed(session, error)
                raise
            idle.append(session)
        finally:
            self._free.release()

    def _taken(self, idle: list[Any]) -> Any:
        try:
            return idle.pop()
        except IndexError:
            return self._driver.open()

    def _failed(self, session: Any, error: BaseException) -> None:
        """What was in the middle of something is not used again; nor are others where the server may be gone."""
        if self._driver.alone:
            session.rollback()
            self._idle[False].append(session)
            return
        session.close()
        if isinstance(error, self._driver.errors.OperationalError):
            self.close()


def connect(url: str, *, password: str | None, create: bool, wait: timedelta) -> Database:
    """A database by its URL: `sqlite:////path`, `sqlite://` in memory, `postgresql://user@host/name`. Raises Temporary.

    `create`: make the file where it is missing. `wait`: for locks and connections.
    """
    scheme, found, rest = url.partition("://")
    driver: Driver
    if not found:
        # Without the URL, which may hold a password.
        raise Temporary("ledger.url is no URL: write sqlite:////path or postgresql://user@host/name")
    if scheme == "sqlite":
        from postroom.ledger.sqlite import Sqlite

        driver = Sqlite(rest.removeprefix("/"), create=create, wait=wait)
    elif scheme == "postgresql":
        from postroom.ledger.postgresql import Postgresql

        driver = Postgresql(url, password=password, wait=wait)
    else:
        raise Temporary(f"ledger.url names {scheme}: a ledger is sqlite or postgresql")
    return Database(driver, wait)
