"""Real servers on free ports of 127.0.0.1, one of a kind for all tests of a process; tests may be coroutines."""

import asyncio
import inspect
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import count
from types import ModuleType

import pytest
from hypothesis import settings

from servers import dovecot as dovecots
from servers import postgresql as databases
from servers import redis as queues
from servers.dovecot import Dovecot
from servers.postgresql import Database
from servers.redis import Redis

_NUMBERS = count(1)
# UNIX sockets lie in directories of tests, and their paths are short (107 octets).
if len(tempfile.gettempdir()) > 16:
    os.environ["PYTEST_DEBUG_TEMPROOT"] = "/tmp"
# How long a case takes says something about the machine; benchmarks measure.
settings.register_profile("postroom", deadline=None)
settings.load_profile("postroom")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine in a loop of its own, for two minutes at most."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}), 120))
    return True


def _need(server: ModuleType, name: str, packages: str) -> None:
    if not server.is_installed():
        pytest.skip(f"the server {name} is missing: apt-get install {packages}")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Database]:
    """Makes URLs, each of an empty schema."""
    _need(databases, "PostgreSQL", "postgresql")
    with databases.running() as fresh:
        yield fresh


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """With all that it can."""
    _need(dovecots, "Dovecot", "dovecot-imapd dovecot-pop3d")
    with dovecots.running() as server:
        yield server


@pytest.fixture(scope="session")
def poor_dovecot() -> Iterator[Dovecot]:
    """With IMAP4rev1 and nothing else."""
    _need(dovecots, "Dovecot", "dovecot-imapd dovecot-pop3d")
    with dovecots.running(imap=dovecots.POOR) as server:
        yield server


@pytest.fixture
def redis() -> Iterator[Redis]:
    """One that a test may kill."""
    _need(queues, "Redis", "redis-server")
    with queues.running() as server:
        yield server


@pytest.fixture(scope="session")
def make_redis() -> Callable[..., AbstractContextManager[Redis]]:
    """A Redis with settings of its own."""
    _need(queues, "Redis", "redis-server")
    return queues.running


@pytest.fixture
def user() -> str:
    """An account that nobody used before; every name is one."""
    return f"user{next(_NUMBERS)}"
