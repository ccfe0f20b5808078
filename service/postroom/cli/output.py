"""How commands print: tables on a terminal, plain lines elsewhere, JSON where a program asks."""

import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import JsonValue

if TYPE_CHECKING:
    from rich.table import Table

Cells = Sequence[str]
# What JSON leaves as it is and a terminal may obey: DEL, C1, changes of direction; and halves of characters.
_UNSEEN = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """With control characters as escapes: what stands in a message neither moves the cursor nor turns a line round."""
    if text.isprintable():
        return text
    return "".join(char if _is_seen(char) else char.encode("unicode_escape").decode() for char in text)


def _is_seen(char: str) -> bool:
    return char.isprintable() or unicodedata.category(char) == "Zs"


def print_line(text: str) -> None:
    """One line, whatever a message put into it."""
    print(visible(text))


def json_of(value: JsonValue, indent: int | None = None) -> str:
    """The same in JSON, which programs read and people look at."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def print_json(value: JsonValue) -> None:
    """One JSON document."""
    print(json_of(value, indent=2))


def print_table(headings: Cells, rows: Sequence[Cells]) -> None:
    """A table on a terminal; elsewhere lines with tabs between the cells, for other programs."""
    if not sys.stdout.isatty():
        for row in (headings, *rows):
            print("\t".join(map(visible, row)))
        return
    from rich.console import Console

    Console().print(table(headings, rows))


def print_lines(lines: Iterable[tuple[str, str]]) -> None:
    """Lines and their styles, which are seen on a terminal that has colours and wants them (NO_COLOR)."""
    if not sys.stdout.isatty():
        for line, _ in lines:
            print_line(line)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for line, style in lines:
        # As text: what stands in a message is no markup.
        console.print(Text(visible(line), style=style), soft_wrap=True)


def aligned(rows: Sequence[Cells]) -> list[str]:
    """Columns below each other, three spaces apart; a very long cell does not push away all others."""
    widths = [min(44, max(map(len, column))) for column in zip(*rows, strict=True)]
    return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def table(headings: Cells, rows: Sequence[Cells]) -> "Table":
    """For a terminal."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False)
    for heading in headings:
        made.add_column(heading, overflow="fold")  # a long folder goes on in the next line, to its end
    for row in rows:
        # As text: what stands in a message is no markup.
        made.add_row(*(Text(visible(cell), style=STATES.get(cell, "")) for cell in row))
    return made


STATES = {
    "connected": "green",
    "listening": "green",
    "paused": "yellow",
    "not watched": "yellow",
    "refused": "red",
    "dead": "red",
}
MARKS = {True: "✓", False: "✗", None: "?"}
PLAIN = {True: "+", False: "-", None: "?"}


def mark(held: bool | None) -> str:
    """Yes, no or unknown, as the terminal's encoding can show it."""
    try:
        MARKS[held].encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return PLAIN[held]
    return MARKS[held]


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
