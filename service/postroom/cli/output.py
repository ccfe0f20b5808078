"""How commands print: tables on a terminal, plain lines elsewhere, JSON where a program asks."""

import json
import sys
from collections.abc import Sequence
from datetime import datetime

from pydantic import JsonValue

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
    from rich.table import Table
    from rich.text import Text

    table = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        # As text: what stands in a message is no markup.
        table.add_row(*map(Text, row))
    Console().print(table)


def when(time: datetime | None) -> str:
    """In local time, to the second."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if time else ""
