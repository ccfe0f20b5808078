"""A private PostgreSQL on a UNIX socket; an ordinary user runs it."""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from urllib.parse import quote

import psycopg

from servers import process

Database = Callable[[], str]


def is_installed() -> bool:
    return _binaries() is not None


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("postgres")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def _account() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    return "postgres" if any(entry.pw_name == "postgres" for entry in pwd.getpwall()) else "nobody"


@contextmanager
def running() -> Iterator[Database]:
    """Makes URLs, each of an empty schema on one server that lives as long as the tests."""
    binaries, account = _binaries(), _account()
    assert binaries is not None, "it is installed"
    with process.home("pg") as home:
        if account:
            shutil.chown(home, account)
        made = [
            binaries / "initdb",
            "-D",
            home / "data",
            "-U",
            "postroom",
            "--auth=trust",
            "-E",
            "UTF8",
            "--no-locale",
            "-N",
        ]
        subprocess.run(made, check=True, user=account, cwd=home, stdout=subprocess.DEVNULL)
        command = [binaries / "postgres", "-D", home / "data", "-k", home, "-c", "listen_addresses="]
        base = f"postgresql://postroom@/postgres?host={quote(str(home))}"
        # It waits for no client that is still there.
        with process.running(command, home, signal.SIGINT, user=account) as server:
            process.await_answer(server, lambda: _answers(base), home / "output")
            yield partial(_fresh, base, count(1))


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def _fresh(base: str, numbers: Iterator[int]) -> str:
    schema = f"test{next(numbers)}"
    with psycopg.connect(base) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
    return f"{base}&options=-csearch_path%3D{schema}"
