"""What a settlement means for one message: where the plan and the mailbox's settings want it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from postroom.ledger.rows import Waiting
from postroom.settings.mailboxes import ImapMailbox, MoveTo
from postroom.sources.imap.folder import Selected
from postroom.sources.settlement import Settlement

TRASH = "\\Trash"


@dataclass(frozen=True, slots=True)
class Put:
    """Into a folder. `edited`: the changed message goes there, and the original is removed."""

    folder: str
    create: bool
    edited: bool = False


@dataclass(frozen=True, slots=True)
class Remove:
    """Away with it."""


@dataclass(frozen=True, slots=True)
class Stay:
    """Where it is. `seen`: marked as read."""

    seen: bool = False


Act = Put | Remove | Stay


def act_of(work: Settlement, account: ImapMailbox, selected: Selected, now: datetime) -> Act | Waiting:
    """As the plan says; of a message that lives elsewhere now, as `keep-on-server` and `handled` say."""
    if work.place != "gone":
        here = work.place == "kept" or selected.is_called(work.target)
        if account.rewrite and work.edits:
            return Put(selected.name if here else work.target, work.create, edited=True)
        return Stay() if here else Put(work.target, work.create)
    if work.discarded:
        return removal(selected)
    keep = account.keep_on_server
    if keep is True or account.handled == "leave":
        return Stay()
    if account.handled == "seen":
        return Stay(seen=True)
    if isinstance(keep, timedelta) and (until := work.received + keep) > now:
        return Waiting(message=work.message, until=until)
    if isinstance(account.handled, MoveTo):
        return Stay() if selected.is_called(account.handled.move) else Put(account.handled.move, create=True)
    return removal(selected)


def removal(selected: Selected) -> Act:
    """How a message is deleted there."""
    # Gmail takes an expunge for the removal of a label only.
    if selected.imap.has("X-GM-EXT-1") and not selected.is_called(TRASH):
        return Put(TRASH, create=True)
    return Remove()
