"""What scanning steps have in common: a scanner that gives no answer is told of, whatever becomes of the message."""

from collections.abc import Iterator
from contextlib import contextmanager

from postroom.errors import Temporary
from postroom.pipeline.tools import ScannerName, Tools


@contextmanager
def asking(scanner: ScannerName, tools: Tools) -> Iterator[None]:
    """Lets Temporary pass, and tells of it."""
    try:
        yield
    except Temporary as error:
        tools.away(scanner, str(error))
        raise
