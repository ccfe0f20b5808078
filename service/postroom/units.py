"""Sizes and durations as operators write them: `10MB`, `64KiB`, `5m`, `7d`."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

SIZES = {
    "": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip
_UNITS = tuple((unit, SIZES[unit.upper()]) for unit in ("KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"))
SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZE = re.compile(r"\s*(\d{1,15}(?:\.\d{1,6})?)\s*([A-Za-z]{0,3})\s*")
_SPAN = re.compile(r"\s*(\d{1,9}(?:\.\d{1,6})?)\s*([smhdw])\s*")


def parse_size(value: object) -> int:
    """Octets: `KB MB GB` are powers of 1000, `KiB MiB GiB` of 1024. Raises ValueError with the remedy."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    factor = SIZES.get(found[2].upper()) if found else None
    if found is None or factor is None:
        raise ValueError("a size is a number with a unit: 500KB, 10MB, 64KiB, 1GiB")
    return int(float(found[1]) * factor)


def parse_duration(value: object) -> timedelta:
    """A number with one of the units `s m h d w`. Raises ValueError with the remedy."""
    if isinstance(value, timedelta):
        return value
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("a duration is a number with a unit: 30s, 5m, 4h, 7d")
    return timedelta(seconds=float(found[1]) * SPANS[found[2]])


def format_duration(value: timedelta) -> str:
    """The shortest spelling that `parse_duration` reads back."""
    seconds = value.total_seconds()
    for unit in ("w", "d", "h", "m"):
        if seconds and seconds % SPANS[unit] == 0:
            return f"{int(seconds // SPANS[unit])}{unit}"
    return f"{seconds:g}s"


def format_size(value: int) -> str:
    """The shortest spelling that `parse_size` reads back."""
    fitting = (unit for unit, factor in _UNITS if value and value % factor == 0)
    unit = min(fitting, key=lambda unit: value // SIZES[unit.upper()], default="")
    return f"{value // SIZES[unit.upper()]}{unit}"


def _pattern(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern}


Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, _pattern(r"^\s*[0-9.]+\s*([KMGT]i?)?B?\s*$")]}),
]
Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema(_pattern(r"^\s*[0-9.]+\s*[smhdw]\s*$")),
]
