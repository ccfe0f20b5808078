"""The schema's version, and how a database comes to the newest: made whole, or by steps."""

from collections.abc import Sequence

from postroom.errors import Temporary
from postroom.ledger.database import Connection, Database
from postroom.ledger.statements import sql
from postroom.ledger.tables import FINISHED, INDEXES, TABLES, WATCH

# The step at index n takes a database of version n + 1 to n + 2: what watchers say of their mailboxes; what ended is
# found by its time. Never change one that was released.
STEPS: Sequence[str] = (WATCH, FINISHED)

_EXISTS = {
    True: sql("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'schema'"),
    # Not to_regclass(), which answers from a cache that waiting for the lock below does not refresh.
    False: sql("SELECT 1 FROM pg_tables WHERE tablename = 'schema' AND schemaname = ANY (current_schemas(false))"),
}
# Any number that nobody else takes; it means "the tables of Postroom are being made".
_LOCK = sql("SELECT pg_advisory_xact_lock(7306088451290735)")
_VERSION = sql("SELECT version FROM schema")
_MADE = sql("INSERT INTO schema (version) VALUES (:version)")
_BROUGHT = sql("UPDATE schema SET version = :version")


def upgrade(database: Database, *, create: bool = True, steps: Sequence[str] = STEPS) -> None:
    """Bring the database to the newest version; one cheap look where it is there already.

    Safe against another process doing the same. Raises Temporary where a newer Postroom wrote it.
    """
    newest = len(steps) + 1
    with database.reading() as connection:
        version = _version(connection, database)
    if version == newest:
        return
    if version is None and not create:
        raise Temporary(f"the ledger {database.place} has no tables: check ledger.url, or let the service make them")
    with database.writing() as connection:
        if not database.is_sqlite:
            connection.rows(_LOCK)
        # Looked at again under the lock: another process may have come first.
        version = _version(connection, database)
        if version is None:
            for made in (*TABLES, *INDEXES):
                connection.run(sql(made))
            connection.run(_MADE, version=newest)
        elif version > newest:
            remedy = "run the newer Postroom, or restore the backup made before it"
            raise Temporary(
                f"the ledger {database.place} has version {version}, this Postroom knows {newest}: {remedy}"
            )
        elif version < newest:
            for step in steps[version - 1 :]:
                connection.run(sql(step))
            connection.run(_BROUGHT, version=newest)


def _version(connection: Connection, database: Database) -> int | None:
    if connection.row(_EXISTS[database.is_sqlite]) is None:
        return None
    found = connection.row(_VERSION)
    return None if found is None else int(found["version"])
