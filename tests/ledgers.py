"""What stands in the ledger of a service, asked beside it."""

import sqlite3
from contextlib import closing
from pathlib import Path


def asked(path: Path, sql: str) -> list[tuple[object, ...]]:
    """Rows, or OperationalError where the ledger is not made yet: making its file is the service's business."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=60)) as connection:
        return connection.execute(sql).fetchall()
