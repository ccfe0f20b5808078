"""How often something may be done within a time, over all processes that share a memory."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from postroom.errors import Temporary
from postroom.pipeline.tools import Memory
from postroom.steps.location import Location
from postroom.transports.files import explained
from postroom.transports.maildir import NEW_FOLDERS

DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)
FOLDERS: Final = "new folders of"
PLACES: Final = "new places of"
STORES: Final = "new stores of"
NEW_PLACES: Final = 100  # below one root within an hour, where a value names them


def granted(memory: Memory, space: str, holder: str, most: int, period: timedelta) -> bool:
    """Whether one of so many places is free; a place is so again after the period."""
    places = map(str, range(most))
    return any(memory.remember(space, place, holder, period) for place in places if not memory.recall(space, place))


def folders(memory: Memory, root: Path, holder: str) -> Callable[[], None]:
    """Called before a folder of `root` is made, whose name may come from a message. Raises Temporary where as many
    were made within a day as may be."""
    return partial(_folder, memory, root, holder)


def place(memory: Memory, to: Location, holder: str) -> None:
    """Called before something is made at `to`. Raises Temporary where a value names what is missing there, and as many
    were made within an hour as may be."""
    with explained(to.root):
        if to.root == to.path or to.at.exists():
            return
    if not granted(memory, f"{PLACES} {to.root}", holder, NEW_PLACES, HOUR):
        raise Temporary(f"{to.root}: {NEW_PLACES} new places were made there within an hour; further ones wait")


def store(memory: Memory, mailbox: str, holder: str, most: int) -> None:
    """Called before a store is made that a recipient's address names. Raises Temporary likewise."""
    if not granted(memory, f"{STORES} {mailbox}", holder, most, HOUR):
        raise Temporary(
            f"mailbox {mailbox}: {most} new stores were made within an hour; mail for further ones waits (`new-stores`)"
        )


def _folder(memory: Memory, root: Path, holder: str) -> None:
    if not granted(memory, f"{FOLDERS} {root}", holder, NEW_FOLDERS, DAY):
        raise Temporary(f"{root}: {NEW_FOLDERS} new folders were made there within a day; further ones wait")
