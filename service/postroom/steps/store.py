"""A Maildir++ as the home of a mailbox: what keep, move and copy become where the worker delivers."""

from pathlib import Path
from typing import ClassVar, Literal

from postroom.errors import Permanent
from postroom.model import TextSet
from postroom.pipeline.outcome import Effect, Letter, Receipt
from postroom.pipeline.tools import Tools
from postroom.steps import allowance
from postroom.transports import maildir
from postroom.transports.publishing import publish


class StoreEffect(Effect):
    """Delivery into a store. `folder` "" is the inbox."""

    store: str
    folder: str = ""
    flags: TextSet = frozenset()
    create: bool = True

    @property
    def target(self) -> str:
        return self.folder

    def perform(self, letter: Letter, tools: Tools) -> Receipt:
        root = Path(self.store)
        if not root.is_dir() and (most := tools.new_stores(letter.mailbox, self.store)) is not None:
            allowance.store(tools.memory, letter.mailbox, letter.key, most)
        new = maildir.deliver(
            [letter.prefix, *letter.chunks],
            maildir.folder_path(root, self.folder),
            key=letter.key,
            received=letter.received,
            host=tools.host,
            flags=self.flags,
            create=self.create,
            root=root,
            again=letter.again,
            publish=tools.publish or publish,
            spend=allowance.folders(tools.memory, root, letter.key),
        )
        return Receipt(detail="delivered", repeated=not new)


class KeepEffect(StoreEffect):
    """The inbox, as the message's place."""

    word: ClassVar[str] = "keep"


class MoveEffect(StoreEffect):
    """A folder, as the message's place."""

    word: ClassVar[str] = "move"


class CopyEffect(StoreEffect):
    """One more copy, in a folder."""

    word: ClassVar[str] = "copy"


class Store:
    """The home of a mailbox whose messages the worker delivers. `passes`: the caller takes what is kept."""

    def __init__(self, path: str, *, passes: bool = False) -> None:
        self._path = path
        self._passes = passes

    def deliver(
        self, word: Literal["keep", "move", "copy"], folder: str, flags: frozenset[str], *, create: bool
    ) -> Effect | None:
        if word == "keep" and self._passes:
            return None
        kind = {"keep": KeepEffect, "move": MoveEffect, "copy": CopyEffect}[word]
        return kind(store=self._path, folder=folder, flags=flags, create=create)

    def holds(self, flag: str) -> bool:
        return maildir.holds(flag)


class Nowhere:
    """The home of a mailbox with `store: none`: nothing can be kept. `passes`: but its caller takes what
    would be.
    """

    def __init__(self, *, passes: bool = False) -> None:
        self._passes = passes

    def deliver(
        self, word: Literal["keep", "move", "copy"], folder: str, flags: frozenset[str], *, create: bool
    ) -> Effect | None:
        if word == "keep" and self._passes:
            return None
        raise Permanent("the mailbox has `store: none`, so that nothing can be kept or moved")

    def holds(self, flag: str) -> bool:
        return False


class InPlace:
    """The home of a mailbox that keeps its messages itself: its source moves and flags them when all else is done.
    `flags`: whether it takes all flags, or only those that a Maildir can hold.
    """

    def __init__(self, *, flags: bool = True) -> None:
        self._flags = flags

    def deliver(
        self, word: Literal["keep", "move", "copy"], folder: str, flags: frozenset[str], *, create: bool
    ) -> Effect | None:
        return None

    def holds(self, flag: str) -> bool:
        return self._flags or maildir.holds(flag)
