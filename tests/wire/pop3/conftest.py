"""The desk of the POP3 source."""

from pathlib import Path

import pytest

from desks import MemoryDesk


@pytest.fixture
def desk(tmp_path: Path) -> MemoryDesk:
    return MemoryDesk(tmp_path)
