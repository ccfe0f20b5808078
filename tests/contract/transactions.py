"""Who hears of the ledger's transactions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from postroom.ledger import Ledger


@contextmanager
def writing(ledger: Ledger, told: Callable[[], None]) -> Iterator[None]:
    """Tells when one that writes begins, in its thread."""
    driver: Any = ledger._database._driver
    begin = driver.begin

    def heard(session: Any, *, writes: bool) -> None:
        if writes:
            told()
        begin(session, writes=writes)

    driver.begin = heard
    try:
        yield
    finally:
        del driver.begin
