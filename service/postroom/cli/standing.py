"""What `postroom status` finds out: of each mailbox, of the queue and of the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from postroom.errors import Temporary
from postroom.ledger import Backlog, Counts, Ledger, Watched
from postroom.ledger.owner import is_gone
from postroom.settings import Settings
from postroom.spool import Spool

if TYPE_CHECKING:
    from celery import Celery

NOTHING = Backlog(in_flight=0, unsettled=0, oldest=timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One mailbox: as its watcher saw it last, and what of its messages has not ended."""

    name: str
    kind: str
    alive: bool  # somebody watches it now
    watched: Watched | None
    backlog: Backlog

    @property
    def state(self) -> str:
        """In one word."""
        if self.watched is None or not self.alive:
            return "not watched"
        if self.watched.paused:
            return "paused"
        if self.watched.refused:
            return "refused"
        if self.watched.connected:
            return "listening" if self.kind == "listener" else "connected"
        return "connecting"

    @property
    def reason(self) -> str:
        """A sentence, where the word needs one."""
        return (self.watched.paused or self.watched.refused or "") if self.watched and self.alive else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything at one moment. `queue`: tasks that wait, or None where nobody outside can ask; `away` says why."""

    now: datetime
    mailboxes: Sequence[Seen]
    counts: Counts
    queue: int | None
    away: str
    free: int


class Queue:
    """How many tasks wait in a queue that lives outside of the service."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.queue

    def length(self) -> int | None:
        """None: it lives in the memory of `postroom run`. Raises Temporary."""
        if self._settings.url == "memory://":
            return None
        from postroom.queue import length

        return length(self._app, self._settings)

    @cached_property
    def _app(self) -> "Celery":
        from postroom.queue import make_app

        return make_app(self._settings, lambda ids: None)


def looked(settings: Settings, ledger: Ledger, spool: Spool, queue: Queue) -> Status:
    """Ask everybody. A queue that does not answer is part of the answer."""
    watched = {each.mailbox: each for each in ledger.watched()}
    leased, backlogs = ledger.leased(), ledger.backlogs()
    length, away = None, ""
    try:
        length = queue.length()
    except Temporary as error:
        away = str(error)
    return Status(
        now=datetime.now(UTC),
        mailboxes=[
            Seen(
                name=name,
                kind=mailbox.kind,
                alive=f"mailbox {name}" in leased or (mailbox.kind == "listener" and not _gone(watched.get(name))),
                watched=watched.get(name),
                backlog=backlogs.get(name, NOTHING),
            )
            for name, mailbox in settings.mailboxes.items()
            if mailbox.kind != "stdin"
        ],
        counts=ledger.counts(),
        queue=length,
        away=away,
        free=spool.free(),
    )


def _gone(seen: Watched | None) -> bool:
    return seen is None or is_gone(seen.owner)
