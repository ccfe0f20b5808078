"""How commands print: tables on a terminal, plain lines elsewhere, JSON where a program asks."""

import json
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import JsonValue

if TYPE_CHECKING:
    from rich.table import Table

Cells = Sequence[str]


def print_json(value: JsonValue) -> None:
    """One JSON document."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(headings: Cells, rows: Sequence[Cells]) -> None:
    """A table on a terminal; elsewhere lines with tabs between the cells, for other programs."""
    if not sys.stdout.isatty():
        for row in (headings, *rows):
            print("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row))
        return
    from rich.console import Console

    Console().print(table(headings, rows))


def table(headings: Cells, rows: Sequence[Cells]) -> "Table":
    """For a terminal."""
    from rich.table import Table
    from rich.text import Text

    made = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        # As text: what stands in a message is no markup.
        made.add_row(*map(Text, row))
    return made


def when(time: datetime | None) -> str:
    """In local time, to the second."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if time else ""


def span(time: timedelta | None) -> str:
    """How long, in its largest unit that is not zero: `3h`, `2m`, `0s`."""
    if time is None:
        return ""
    seconds = max(0, int(time.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
