"""The schema's version, and how a database comes to the newest: made whole, or by steps."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, MetaData, text
from sqlalchemy.schema import CreateIndex, CreateTable

from postroom.errors import Temporary
from postroom.ledger.database import Database
from postroom.ledger.tables import metadata, schema, watch

Step = Callable[[Connection], None]
# As text: an Index with a condition would have every process load the dialects of both databases.
_FINISHED = text("CREATE INDEX message_finished ON message (state, finished_at) WHERE finished_at IS NOT NULL")


def _watch(connection: Connection) -> None:
    """What watchers say of their mailboxes."""
    connection.execute(CreateTable(watch))


def _finished(connection: Connection) -> None:
    """What ended is found by its time."""
    connection.execute(_FINISHED)


# The step at index n takes a database of version n + 1 to n + 2. Never change one that was released.
STEPS: Sequence[Step] = (_watch, _finished)

_EXISTS = {
    "sqlite": text("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema'"),
    # Not to_regclass(), which answers from a cache that waiting for the lock below does not refresh.
    "postgresql": text(
        "SELECT 1 FROM pg_tables WHERE tablename = 'schema' AND schemaname = ANY (current_schemas(false))"
    ),
}
# Any number that nobody else takes; it means "the tables of Postroom are being made".
_LOCK = text("SELECT pg_advisory_xact_lock(7306088451290735)")


def upgrade(
    database: Database, *, create: bool = True, tables: MetaData = metadata, steps: Sequence[Step] = STEPS
) -> None:
    """Bring the database to the newest version; one cheap look where it is there already.

    Safe against another process doing the same. Raises Temporary where a newer Postroom wrote it.
    """
    newest = len(steps) + 1
    with database.reading() as connection:
        version = _version(connection)
    if version == newest:
        return
    if version is None and not create:
        raise Temporary(f"the ledger {database.place} has no tables: check ledger.url, or let the service make them")
    with database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(_LOCK)
        # Looked at again under the lock: another process may have come first.
        version = _version(connection)
        if version is None:
            _create(connection, tables)
            connection.execute(schema.insert().values(version=newest))
        elif version > newest:
            remedy = "run the newer Postroom, or restore the backup made before it"
            raise Temporary(
                f"the ledger {database.place} has version {version}, this Postroom knows {newest}: {remedy}"
            )
        elif version < newest:
            for step in steps[version - 1 :]:
                step(connection)
            connection.execute(schema.update().values(version=newest))


def _version(connection: Connection) -> int | None:
    if connection.execute(_EXISTS[connection.dialect.name]).first() is None:
        return None
    return connection.execute(schema.select()).scalar()


def _create(connection: Connection, tables: MetaData) -> None:
    for table in tables.sorted_tables:
        connection.execute(CreateTable(table))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            connection.execute(CreateIndex(index))
    connection.execute(_FINISHED)
