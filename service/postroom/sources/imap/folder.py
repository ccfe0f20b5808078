"""A folder: its keys in the ledger, and what is known of it while it is selected."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from postroom.errors import PostroomError, Temporary
from postroom.sources.imap.connection import Imap
from postroom.sources.imap.fetched import fetched
from postroom.sources.imap.responses import Data, Status
from postroom.sources.imap.signal import Signal
from postroom.sources.imap.uidsets import HIGHEST
from postroom.sources.losses import Lost

NOOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Key:
    """The source key of a message: `FOLDER/UIDVALIDITY/UID`. A UID means nothing without the other two."""

    folder: str
    validity: int
    uid: int

    def __str__(self) -> str:
        return f"{self.folder}/{self.validity}/{self.uid}"

    @classmethod
    def read(cls, text: str) -> "Key | None":
        """None where it is no key of this kind."""
        folder, validity, uid = ("", *text.rsplit("/", 2))[-3:]
        return cls(folder, int(validity), int(uid)) if validity.isdigit() and uid.isdigit() else None


class Selected:
    """A folder selected on a connection, kept up to date by what the server says unasked.

    `next`: UIDNEXT as of SELECT; None: not told. `arrived`: messages that came since the last look. `attention` is set
    when it is worth a look. `permanent`: flags that can be stored; None: not told, so all.
    """

    def __init__(self, imap: Imap, name: str, attention: Signal) -> None:
        self.imap = imap
        self.name = name
        self.attention = attention
        self.validity = 0
        self.next: int | None = None
        self.arrived = 0
        self.permanent: frozenset[str] | None = None
        self.is_stale = False  # UIDVALIDITY changed while selected
        self._exists = 0
        self._open = False

    @classmethod
    async def open(cls, imap: Imap, name: str, attention: Signal, *, examine: bool = False) -> Self:
        """Select it. Raises Rejected, Lost, and Temporary where the server keeps no UIDs."""
        selected = cls(imap, name, attention)
        imap.listen(selected.hear)
        reply = await imap.call("EXAMINE" if examine else "SELECT", imap.naming.written(name))
        reply.require()
        if not selected.validity:
            raise Temporary(f"the server gives the folder `{name}` no UIDVALIDITY, so that its messages have no names")
        selected._open = True
        selected.arrived = 0
        return selected

    async def again(self) -> None:
        """Select it anew, after another folder was, or to learn UIDNEXT. Raises Lost, also where it is not the same."""
        self.imap.listen(self.hear)
        self._exists = 0
        reply = await self.imap.call("SELECT", self.imap.naming.written(self.name))
        if not reply.is_ok:
            raise Lost("protocol", f"the folder `{self.name}` cannot be selected again: {reply.status.text}")
        self.arrived = 0
        self.require()

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Another folder may be selected meanwhile."""
        try:
            yield
        except Lost:
            raise
        except PostroomError:
            await self.again()
            raise
        # Not in a `finally`: after a cancellation there is no connection, and the error would take its place.
        await self.again()

    def require(self) -> None:
        """That UIDs still mean what they did. Raises Lost: nothing may be done on this connection any more."""
        if self.is_stale:
            raise Lost("protocol", f"the folder `{self.name}` got another UIDVALIDITY while it was selected")

    @property
    def exists(self) -> int:
        """How many messages are in it."""
        return self._exists

    def hear(self, response: Data | Status) -> None:
        """An untagged response."""
        if isinstance(response, Status):
            self._hear_status(response)
        elif response.name == "EXISTS" and response.number is not None:
            grown = max(0, response.number - self._exists)
            self._exists = response.number
            self.arrived += grown
            if grown and self._open:
                self.attention.set()
        elif response.name == "EXPUNGE":
            self._exists = max(0, self._exists - 1)

    def _hear_status(self, status: Status) -> None:
        if (validity := status.number("UIDVALIDITY")) is not None:
            self.is_stale = self._open and validity != self.validity
            self.validity = self.validity if self.is_stale else validity
            if self.is_stale:
                self.attention.set()
        elif (number := status.number("UIDNEXT")) is not None and number <= HIGHEST:
            self.next = number
        elif status.code == "PERMANENTFLAGS":
            self.permanent = frozenset(status.arguments.decode("utf-8", "replace").lower().strip("()").split())

    def can_store(self, flag: str) -> bool:
        """Whether the server keeps this flag beyond the session."""
        if self.permanent is None or flag.lower() in self.permanent:
            return True
        return "\\*" in self.permanent and not flag.startswith("\\")

    def is_called(self, folder: str) -> bool:
        """Whether an operator's name means this folder."""
        return self.imap.naming.same(folder, self.name)

    def key(self, uid: int) -> str:
        return str(Key(self.name, self.validity, uid))

    async def end(self) -> int:
        """The UID that the next message will have, or a lower one that none has yet."""
        if self.next is None:
            # RFC 3501 6.3.1 lets old servers leave out UIDNEXT.
            self.next = await self.last() + 1
        return self.next

    async def last(self) -> int:
        """The highest UID that a message here has; 0: there is none."""
        return max(fetched((await self.imap.call("UID", "FETCH", "*", "(UID)")).data), default=0)

    async def never_had(self, uid: int) -> bool:
        """Whether the server denies now that a UID was ever given to a message."""
        return self.next is not None and self.next <= uid and await self.last() < uid
