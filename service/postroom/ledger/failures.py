"""Errors of the databases, translated at the edge by one table each into sentences that name place and
remedy."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from postroom.errors import Permanent, PostroomError, Temporary

_DAMAGED = "it is damaged or no ledger: restore it from a backup, or move it away and a new one is made"
_UNWRITABLE = "it cannot be written: check owner, mode and that its file system is not mounted read-only"

SQLITE = {
    sqlite3.SQLITE_BUSY: "it is locked by another process: wait, or look which process holds it",
    sqlite3.SQLITE_LOCKED: "it is locked by another process: wait, or look which process holds it",
    sqlite3.SQLITE_PROTOCOL: "it is locked by too many processes at once: run fewer",
    sqlite3.SQLITE_FULL: "its disk is full: make room",
    sqlite3.SQLITE_IOERR: "its disk reports an error or a limit on file sizes: check disk, quota, ulimit -f",
    sqlite3.SQLITE_NOMEM: "memory ran out: give the process more",
    sqlite3.SQLITE_READONLY: _UNWRITABLE,
    sqlite3.SQLITE_PERM: _UNWRITABLE,
    sqlite3.SQLITE_AUTH: _UNWRITABLE,
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: check that the path is right and its owner and mode",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_FORMAT: _DAMAGED,
    sqlite3.SQLITE_NOLFS: "its file system takes no file as large: move the ledger to another",
}

# By the longest prefix of the SQLSTATE.
POSTGRESQL = {
    "08": "the connection to the server failed: check address and network",
    "25006": "the server is read-only: give the address of the primary",
    "28": "the server refuses the login: check user and password",
    "3D": "the database does not exist: create it",
    "3F": "the schema does not exist: create it",
    "40": "two transactions were in each other's way; the next try goes through",
    "42501": "the user may not do this: grant it the tables",
    "42": "its tables are not as they should be: restore them from a backup",
    "53100": "the server's disk is full: make room",
    "53300": "the server has no connection left: raise max_connections",
    "53": "the server is short of resources: look at its log",
    "55P03": "a row is locked by another process for too long: look which process holds it",
    "57": "the server was stopped or ended the connection: look at its log",
    "58": "the server reports an error of its system: look at its log",
    "XX": "the server reports damaged data: look at its log",
}

UNKNOWN = "the database reports an error that is not in our table; the log has it"


@contextmanager
def translated(place: str, errors: Any) -> Iterator[None]:
    """Errors of a driver become Temporary, or Permanent for values that its database will never take.

    `place` names the ledger without its password. `errors`: a module with the exceptions of PEP 249.
    """
    try:
        yield
    except PostroomError:
        raise
    except (errors.DataError, errors.IntegrityError, UnicodeError, OverflowError) as error:
        raise Permanent(f"the ledger {place} cannot hold these values ({type(error).__name__})") from error
    except (errors.Error, OSError) as error:
        raise Temporary(f"the ledger {place} cannot be used: {remedy(error, errors)}") from error


def remedy(error: BaseException, errors: Any) -> str:
    """What is wrong and what to do, for an error of a driver."""
    if isinstance(error, OSError):
        return f"{(error.strerror or 'the system gives no reason').lower()}: check path, owner and disk"
    if isinstance(error, sqlite3.Error):
        # The low octet is the primary code, the rest tells the variant.
        return SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, UNKNOWN)
    state = getattr(error, "sqlstate", None)
    if state:
        return next((POSTGRESQL[state[:n]] for n in (5, 2) if state[:n] in POSTGRESQL), UNKNOWN)
    if isinstance(error, errors.OperationalError):
        # psycopg has no code for a server that it cannot reach.
        return POSTGRESQL["08"]
    return UNKNOWN
