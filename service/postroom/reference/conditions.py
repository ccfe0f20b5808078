"""docs/conditions.md."""

from typing import Final

from postroom.pipeline.conditions.catalogue import CATALOGUE, Kind

KINDS: Final[dict[Kind, str]] = {
    "address": "Patterns on `local@domain`, or a mapping of patterns on its `name`, `domain`, `local`, `detail`.",
    "text": "Patterns.",
    "number": 'A number, or comparisons that all hold: `">= 2, < 5"`.',
    "size": 'A size, or comparisons: `"> 10MB"`.',
    "age": 'Comparisons with a duration: `"< 7d"`.',
    "time": "Comparisons with a day or a time; a day means its start, `=` its whole.",
    "hours": "A part of the day, which may pass midnight.",
    "weekday": "`mon` `tue` `wed` `thu` `fri` `sat` `sun`.",
    "truth": "`true` or `false`.",
    "attachment": "Patterns on its name, or a mapping.",
    "spam": "A number, or a mapping.",
    "auth": "A mapping of patterns on the results.",
    "virus": "`true` or `false`, or a mapping.",
    "script": "Truth values, numbers and comparisons, patterns: as the script answers.",
}


def page() -> str:
    """Each field under its own heading."""
    return "".join(
        f"\n### `{one.name}`\n\n{one.text} {KINDS[one.kind]}\n\n```yaml\nwhen: {one.example}\n```\n"
        for one in CATALOGUE
    )
