"""Which pipeline and which store a recipient's mail goes to: the first entry of `recipients` that matches."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from postroom.message import parse
from postroom.message.address import Address
from postroom.pipeline.globs import Glob
from postroom.pipeline.templates import PathTemplate
from postroom.pipeline.text import composed, folded
from postroom.pipeline.tools import Reservation, Tools
from postroom.pipeline.view import Envelope, View
from postroom.settings.mailboxes import ListenerMailbox

_REMEMBERED: Final = 1000  # routes of the last recipients


@dataclass(frozen=True, slots=True)
class Route:
    """Where a recipient's mail goes. `store`: None, nothing can be kept."""

    pipeline: str
    store: str | None


class Routes:
    """The routes of one listener. `pipeline` is for entries and mailboxes that name none."""

    def __init__(self, mailbox: ListenerMailbox, pipeline: str) -> None:
        self._entries = [
            (Glob(one.to), one.pipeline or mailbox.pipeline or pipeline, _store(store))
            for one, store in zip(mailbox.recipients, mailbox.stores, strict=True)
        ]
        self.find: Callable[[Address], Route | None] = lru_cache(_REMEMBERED)(self._find)

    def _find(self, recipient: Address) -> Route | None:
        text = folded(composed(recipient.spec))
        for glob, pipeline, store in self._entries:
            if glob.match(text):
                return Route(pipeline, None if store is None else _place(store, text))
        return None


def _store(path: Path | None) -> PathTemplate | None:
    return None if path is None else PathTemplate(str(path))


def _place(store: PathTemplate, recipient: str) -> str:
    """The recipient's own directory: the same in whatever case a sender writes the address."""
    if store.constant:
        return store.source
    view = View(
        message=parse(b""),
        envelope=Envelope(recipients=(recipient,)),
        mailbox="",
        key="",
        home=_Nowhere(),
        received=_EPOCH,
        now=_EPOCH,
    )
    return store.render(view, _TOOLS)


class _Nowhere:
    """The home of a message that is none."""

    def deliver(
        self, word: Literal["keep", "move", "copy"], folder: str, flags: frozenset[str], *, create: bool
    ) -> None:
        return None

    def holds(self, flag: str) -> bool:
        return False


class _NoMemory:
    """Stores are named without remembering anything."""

    def reserve(self, space: str, key: str, holder: str, period: timedelta) -> Reservation:
        return Reservation.FREE

    def remember(self, space: str, key: str, holder: str, period: timedelta) -> bool:
        return False

    def recall(self, space: str, key: str) -> bool:
        return False


_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_TOOLS: Final = Tools(clock=lambda: _EPOCH, timezone=UTC, host="", files=Path(), quarantine=Path(), memory=_NoMemory())
