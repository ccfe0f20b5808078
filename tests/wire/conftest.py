"""Real servers on free ports of 127.0.0.1, one of a kind for all tests of a process; tests may be coroutines."""

import asyncio
import inspect
from collections.abc import Iterator
from itertools import count

import pytest

from wire import dovecot as dovecots
from wire.dovecot import Dovecot

_NUMBERS = count(1)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine in a loop of its own, for two minutes at most."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}), 120))
    return True


def _require_dovecot() -> None:
    if not dovecots.is_installed():
        pytest.skip("the server Dovecot is missing: apt-get install dovecot-imapd dovecot-pop3d")


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """With all that it can."""
    _require_dovecot()
    with dovecots.running() as server:
        yield server


@pytest.fixture(scope="session")
def poor_dovecot() -> Iterator[Dovecot]:
    """With IMAP4rev1 and nothing else."""
    _require_dovecot()
    with dovecots.running(imap=dovecots.POOR) as server:
        yield server


@pytest.fixture
def user() -> str:
    """An account that nobody used before; every name is one."""
    return f"user{next(_NUMBERS)}"
