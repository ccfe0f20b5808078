"""Steps of other packages: entry points of the group `postroom.steps`, of those that the settings admit by name."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from postroom.pipeline.step import Step

GROUP: Final = "postroom.steps"


def installed() -> list[str]:
    """Names of all entry points of the group."""
    return sorted({point.name for point in entry_points(group=GROUP)})


@cache  # the metadata of every installed package is read for it
def plugin(name: str) -> type[Step] | None:
    """The step that an entry point of this name gives; None: `fault` says why there is none."""
    found = next(iter(entry_points(group=GROUP, name=name)), None)
    return None if found is None or _fault(found) else _step(found)


def fault(name: str) -> str:
    """Why an installed entry point gives no step; empty where it does."""
    return next((_fault(point) for point in entry_points(group=GROUP, name=name)), "")


def _fault(point: EntryPoint) -> str:
    try:
        found = point.load()
    except Exception as error:  # noqa: BLE001, RUF100 - somebody else's code: whatever it raises, there is no step
        return f"the package that offers `{point.name}` does not load: {type(error).__name__}"
    if not isinstance(found, type) or not issubclass(found, Step) or getattr(found, "word", "") != point.name:
        return f"the entry point `{point.name}` gives no step of this word"
    return ""


def _step(point: EntryPoint) -> type[Step]:
    found = point.load()
    assert isinstance(found, type)
    assert issubclass(found, Step)
    return found
