"""Where messages come from: one file or directory per kind, and the contract between them and the watcher.

A source is given a desk, its mailbox's side of ledger and spool. It hands arrivals over there, asks there what became
of earlier ones, settles these at the source, and says what it did. It decides nothing and remembers nothing else.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Final, Literal, Protocol

from postroom.errors import PostroomError
from postroom.ledger.rows import Arrival, Batch, Cursor, Origin, Recorded, Refused, Row, Settled, Unsettled, Waiting
from postroom.settings.mailboxes import Mailbox
from postroom.sources.settlement import Settlement
from postroom.spool import Blob, Draft

Loss = Literal["closed", "timeout", "bye", "network", "tls", "protocol", "lease", "stopped"]
"""Why a connection ended; a label of metrics."""


class Source(Protocol):
    """One mailbox. Everything that it awaits is bounded in time, but for waiting for mail."""

    async def run(self, desk: "Desk") -> None:
        """Bring in mail and settle what is done, until cancelled.

        A lost connection is the source's own business: it waits, longer each time and jittered, and connects anew.
        Raises Permanent for what only an operator can mend; anything else that escapes is tried again after a while.
        """


class Desk(Protocol):
    """A mailbox's side of ledger and spool. Methods that touch them raise Temporary with a sentence."""

    mailbox: str
    pipeline: str  # through which its messages go where a source knows no other
    base: Path  # the directory of postroom.yaml, from which relative paths count
    host: str  # our name, for Received and Message-IDs
    largest: int  # octets of a message (`limits.message`)
    inline: int  # up to here content is handed over as bytes, above as a blob of the spool

    async def room(self) -> None:
        """Wait until more may be collected: less in flight than the settings allow, and space in the spool."""

    async def busy(self) -> bool:
        """Whether messages of this mailbox are being worked on, those aside that wait for a later try."""

    async def take(self, batch: Batch) -> tuple[Recorded | Refused, ...]:
        """Make arrivals durable, one answer each; with those of others in one commit. Once it returns they are ours.

        A key that is known gives the row that has it. The cursor is stored in the same commit;
        a batch without arrivals only moves it.
        """

    async def foresee(self, arrival: Arrival) -> tuple[Arrival, str]:
        """The arrival with its plan, to be taken with it, and the text that rejects it; empty: none does. Raises what
        planning raises; who stops waiting leaves nothing behind."""

    async def forget(self, arrivals: Sequence[Arrival], *, keep: bool) -> None:
        """Arrivals are not taken, though they may have been planned. `keep`: others share their blob."""

    def draft(self) -> Draft:
        """A blob of the spool that is written as it comes; `await store(draft)` ends it."""

    async def store(self, draft: Draft) -> Blob:
        """Make a draft durable, beside the event loop."""

    async def cursor(self, folder: str) -> Cursor | None:
        """How far a folder has been recorded."""

    async def known(self, keys: Collection[str]) -> frozenset[str]:
        """Which source keys have a row, or had one and are still remembered."""

    async def known_hashes(self, hashes: Collection[str]) -> frozenset[str]:
        """Which SHA-256 digests belong to messages of this mailbox, also of rows that are long gone."""

    async def origins(self, effects: Collection[str]) -> Mapping[str, Origin]:
        """Of which messages, in any mailbox, rules made these effects, by their keys; without those that are none."""

    async def listed(self, keys: Collection[str]) -> None:
        """All that the source lists now: identities of rows that are long gone and not among these are forgotten."""

    async def wanted(self, folder: str, limit: int = 100) -> Sequence[Row]:
        """Messages known by key only whose next try has come, oldest first."""

    async def missed(self, row: Row, error: PostroomError) -> None:
        """A wanted message could not be had now: its next try is later, or it is a dead letter where no try helps."""

    async def unfinished(self, folder: str) -> Sequence[Row]:
        """All rows of a folder that are not final, wanted ones among them (after a change of UIDVALIDITY)."""

    async def rekey(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Rows go on under another key (old, new): found again after a change of UIDVALIDITY."""

    async def vanished(self, keys: Collection[str]) -> None:
        """The source has these no more: what is wanted or done ends as `vanished`, the user wins."""

    async def unsettled(self, folder: str | None = None, limit: int = 200) -> Sequence[Settlement]:
        """What is done and not settled yet, oldest first; of one folder or of all."""

    async def settled(self, answers: Sequence[Settled | Unsettled | Waiting]) -> None:
        """What the source confirmed, why it did not, or when it will. A settlement that is left out is asked again."""

    def content(self, work: Settlement) -> AbstractAsyncContextManager[Sequence[bytes | memoryview]]:
        """The message as edited by its plan, in pieces (for a rewrite). Raises Temporary when it cannot be read."""

    async def expect(self, folder: str, digest: str) -> None:
        """A copy of ours with this hash is about to appear there; `awaited` knows it for a day."""

    async def awaited(self, folder: str, digests: Collection[str]) -> frozenset[str]:
        """Which of these hashes are copies of ours that were expected there."""

    async def wake(self, period: timedelta) -> None:
        """Return when something became unsettled, or after that time."""

    def heeding(self, called: Callable[[], None]) -> AbstractContextManager[None]:
        """Meanwhile it is called, in the event loop, when something became unsettled: of one source at a time."""

    def sign(self, text: bytes) -> bytes:
        """HMAC-SHA256 with the site's secret, for our own markers. Those of older secrets: `verify`."""

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Whether one of the site's secrets made that signature."""

    # What status and metrics show.

    def connected(self) -> None:
        """Logged in; or listening."""

    def looked(self) -> None:
        """The mailbox was looked through to its end just now: all that was there is recorded."""

    def lost(self, reason: Loss) -> None:
        """The connection ended; another is tried."""

    def refused(self, error: PostroomError) -> None:
        """The login was refused."""

    def paused(self, reason: str) -> None:
        """Nothing is collected until a person decides; the reason is shown by `status`. Empty: no longer."""

    async def decision(self) -> Literal["take", "skip"] | None:
        """What a person decided about a pause (`postroom resume`); told once."""

    def uidvalidity_changed(self) -> None:
        """A folder got a new UIDVALIDITY."""

    def replied(self, code: int) -> None:
        """A listener's reply."""


SOURCES: Final = {
    "imap": "imap.source:ImapSource",
    "pop3": "pop3.source:Pop3Source",
    "maildir": "maildir:MaildirSource",
    "listener": "listener.source:ListenerSource",
}
"""By the kind of a mailbox. Each is made from its mailbox's settings, and loaded when a mailbox needs it."""


def source(mailbox: Mailbox) -> Source:
    """The source of a mailbox that is watched."""
    module, _, name = SOURCES[mailbox.kind].partition(":")
    made: Source = getattr(import_module(f"{__name__}.{module}"), name)(mailbox)
    return made
