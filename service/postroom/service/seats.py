"""Where messages go by the settings as they are now: rules, home, and whether their source has to settle them."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from postroom.app import home, new_stores
from postroom.errors import Temporary
from postroom.ledger import Arrival, Row
from postroom.pipeline.pipeline import Pipeline
from postroom.pipeline.view import Home
from postroom.service.files import Files
from postroom.work import Seat

SOON = timedelta(seconds=2)  # until a message is looked at again whose mailbox is not known here, the first time
DOUBLED = 16  # times at most


class Seats:
    """Asked by workers in their threads. What is unknown may stand in files that have not been read yet."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.addresses = Ours(files)

    def seat(self, row: Row) -> Seat:
        """Raises Temporary where mailbox or rules are not known: others, or this process soon, may know better."""
        config = self._files.current
        mailbox = config.settings.mailboxes.get(row.mailbox)
        if mailbox is None:
            raise self._unknown(f"the mailbox `{row.mailbox}` is not in the settings", row)
        if row.plan is None and row.pipeline not in config.rules:
            raise self._unknown(_MISSING.format(row.pipeline), row)
        relays = mailbox.kind == "listener" and row.store is None
        return Seat(home(mailbox, row.store), mailbox.is_settled_by, bounces=relays)

    def home(self, mailbox: str, arrival: Arrival) -> Home:
        """Of a message that is not taken yet."""
        return home(self._files.current.settings.mailboxes[mailbox], arrival.store)

    def new_stores(self, mailbox: str, store: str) -> int | None:
        """As `app.new_stores` says."""
        return new_stores(self._files.current.settings, mailbox, store)

    def pipelines(self, name: str) -> Mapping[str, Pipeline]:
        """The rules among which that pipeline is. Raises Temporary."""
        rules = self._files.current.rules
        if name not in rules:
            raise Temporary(_MISSING.format(name))
        return rules

    def _unknown(self, text: str, row: Row) -> Temporary:
        self._files.doubt(text)
        return Temporary(text, after=SOON * 2 ** min(row.tries, DOUBLED))


class Ours(Mapping[str, tuple[str, ...]]):
    """Addresses that are ours, by mailbox."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def __getitem__(self, mailbox: str) -> tuple[str, ...]:
        return self._files.current.settings.mailboxes[mailbox].ours

    def __iter__(self) -> Iterator[str]:
        return iter(self._files.current.settings.mailboxes)

    def __len__(self) -> int:
        return len(self._files.current.settings.mailboxes)


_MISSING = "there is no pipeline `{}` any more; write it anew, or drop its messages"
