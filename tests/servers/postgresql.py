"""A private PostgreSQL on a UNIX socket; an ordinary user runs it."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

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


def _await_answer(url: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < end:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the PostgreSQL server did not start")


@contextmanager
def running() -> Iterator[Database]:
    """Makes URLs, each of an empty schema on one server that lives as long as the tests."""
    binaries = _binaries()
    assert binaries is not None, "it is installed"
    account = _account()
    home = Path(tempfile.mkdtemp(prefix="postroom-pg-"))
    if account:
        shutil.chown(home, account)
    initdb: list[str | Path] = [
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
    subprocess.run(initdb, check=True, user=account, cwd=home, stdout=subprocess.DEVNULL)
    command: list[str | Path] = [
        binaries / "postgres",
        "-D",
        home / "data",
        "-k",
        home,
        "-c",
        "listen_addresses=",
    ]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(command, user=account, cwd=home, stdout=log, stderr=log)
    base = f"postgresql://postroom@/postgres?host={quote(str(home))}"
    try:
        _await_answer(base, server)
        numbers = count(1)

        def fresh() -> str:
            schema = f"test{next(numbers)}"
            with psycopg.connect(base) as connection:
                connection.execute(f"CREATE SCHEMA {schema}".encode())
            return f"{base}&options=-csearch_path%3D{schema}"

        yield fresh
    finally:
        server.terminate()
        server.wait(60)
        shutil.rmtree(home)
