"""How often something may be done within a time, over all processes that share a memory."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from postroom.errors import Temporary
from postroom.pipeline.tools import Memory
from postroom.transports.maildir import NEW_FOLDERS

DAY: Final = timedelta(days=1)
FOLDERS: Final = "new folders of"


def granted(memory: Memory, space: str, holder: str, most: int, period: timedelta) -> bool:
    """Whether one of so many places is free; a place is so again after the period."""
    places = map(str, range(most))
    return any(memory.remember(space, place, holder, period) for place in places if not memory.recall(space, place))


def folders(memory: Memory, root: Path, holder: str) -> Callable[[], None]:
    """Called before a folder of `root` is made, whose name may come from a message. Raises Temporary where as many
    were made within a day as may be."""
    return partial(_folder, memory, root, holder)


def _folder(memory: Memory, root: Path, holder: str) -> None:
    if not granted(memory, f"{FOLDERS} {root}", holder, NEW_FOLDERS, DAY):
        raise Temporary(f"{root}: {NEW_FOLDERS} new folders were made there within a day; further ones wait")
