"""The ledgers that the same cases run on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from postroom.ledger import Ledger
from servers.postgresql import Database


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty ledger's URL, once for each kind of database."""
    match request.param:
        case "memory":
            return "sqlite://"
        case "sqlite":
            return f"sqlite:///{tmp_path}/ledger.db"
        case _:
            fresh: Database = request.getfixturevalue("postgresql")
            return fresh()


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """An empty ledger, once for each kind of database."""
    ledger = Ledger.open(ledger_url)
    yield ledger
    ledger.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty ledger's URL that several processes can open."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    fresh: Database = request.getfixturevalue("postgresql")
    return fresh()
