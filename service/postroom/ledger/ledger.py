"""The ledger: the one truth about messages and effects, behind one class."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Self

from postroom.ledger import (
    claims,
    intake,
    leases,
    memory,
    queries,
    rates,
    rings,
    setback,
    settlements,
    transitions,
    upkeep,
    watching,
)
from postroom.ledger.backlog import Backlog, find_backlogs
from postroom.ledger.claims import Lease
from postroom.ledger.database import Database, connect
from postroom.ledger.migrations import upgrade
from postroom.ledger.owner import Owner
from postroom.ledger.rows import (
    Batch,
    Claim,
    Counts,
    Cursor,
    Decision,
    Load,
    Origin,
    PlanRecord,
    Query,
    Recorded,
    Refused,
    Report,
    Retained,
    Retention,
    Row,
    Settled,
    Shown,
    Unsettled,
    Waiting,
    Watched,
)
from postroom.pipeline.tools import Reservation


class Ledger:
    """Blocking, and safe to share between threads. Every method is one transaction at most.

    Methods raise Temporary with a sentence for an operator where the database is away, locked, full, read-
    only or damaged; those that take a claim raise Fenced, and change nothing, once the row is another's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(
        cls,
        url: str,
        *,
        password: str | None = None,
        create: bool = True,
        wait: timedelta = timedelta(seconds=30),
    ) -> Self:
        """`sqlite:////path`, `sqlite://` (in memory) or `postgresql://user@host/name`, with its tables
        made or brought up to date. `create`: make file and tables where they are missing. `wait`: for
        locks and connections."""
        database = connect(url, password=password, create=create, wait=wait)
        try:
            upgrade(database, create=create)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        """End all connections."""
        self._database.close()

    # Arrivals.

    def record(
        self,
        mailbox: str,
        batch: Batch,
        *,
        lease: Lease | None = None,
        resume_for: timedelta | None = None,
    ) -> tuple[Recorded | Refused, ...]:
        """Make arrivals durable, one answer each, in order (`intake.record`)."""
        return intake.record(self._database, mailbox, batch, lease=lease, resume_for=resume_for)

    def record_all(
        self, mailbox: str, batches: Sequence[Batch], *, lease: Lease | None = None
    ) -> tuple[tuple[Recorded | Refused, ...], ...]:
        """Several batches in one commit, the answers batch by batch."""
        return intake.record_all(self._database, mailbox, batches, lease=lease)

    def cursor(self, mailbox: str, folder: str) -> Cursor | None:
        """How far that folder has been recorded; moved by `record`."""
        return queries.find_cursor(self._database, mailbox, folder)

    # Claims.

    def claim(self, ids: Collection[int], lease: Lease) -> tuple[Claim, ...]:
        """Claim those of the rows that have work left and nobody else holds. A lease whose process is gone is
        free.

        An effect that was running when its worker died comes back pending and `uncertain`.
        """
        return claims.claim(self._database, ids, lease)

    def renew(self, held: Collection[Claim], period: timedelta) -> tuple[Claim, ...]:
        """Prolong leases from now on; answers the claims that are still ours."""
        return claims.renew(self._database, held, period)

    def release(self, held: Collection[Claim]) -> None:
        """Give rows back unchanged; their crash is not counted."""
        claims.release(self._database, held)

    # Transitions under a claim.

    def planned(self, plans: Sequence[PlanRecord]) -> Mapping[str, str | None]:
        """received → planned, with the plans' effects; answers those that were done before, by key, with receipts."""
        return transitions.planned(self._database, plans)

    def started(self, claim: Claim, key: str) -> None:
        """Before an effect that is not repeatable: pending → running."""
        transitions.started(self._database, [(claim, key)])

    def started_all(self, begun: Sequence[tuple[Claim, str]]) -> None:
        """Before several of them, in one commit."""
        transitions.started(self._database, begun)

    def report(self, reports: Sequence[Report]) -> None:
        """What became of effects; planned → done, settled or dead with the last one."""
        transitions.report(self._database, reports)

    def postponed(self, claim: Claim, error: str, at: datetime) -> None:
        """Planning waits until `at`; ends the claim."""
        transitions.postponed(self._database, claim, error, at)

    def dead(self, claim: Claim, reason: str) -> None:
        """any → dead; ends the claim."""
        transitions.dead(self._database, claim, reason)

    def settled(self, ids: Collection[int], outcome: str) -> int:
        """done → settled, once the source has confirmed."""
        return transitions.settled(self._database, ids, outcome)

    # What watchers ask and tell.

    def unsettled(self, mailbox: str, *, folder: str | None = None, limit: int = 200) -> tuple[Row, ...]:
        """Messages that are done, with their plans, oldest first."""
        return settlements.unsettled(self._database, mailbox, folder, limit)

    def unsettled_mailboxes(self) -> frozenset[str]:
        """Mailboxes with something to settle."""
        return settlements.unsettled_mailboxes(self._database)

    def settle(
        self,
        mailbox: str,
        settled: Sequence[Settled],
        unsettled: Sequence[tuple[Unsettled, datetime | None]] = (),
        waiting: Sequence[Waiting] = (),
    ) -> None:
        """What the source confirmed, what it did not (that waits until the time beside it, or is dead), and what it
        will do later."""
        settlements.settle(self._database, mailbox, settled, unsettled, waiting)

    def wanted(self, mailbox: str, folder: str, limit: int) -> tuple[Row, ...]:
        """Messages known by key only whose next try has come."""
        return settlements.wanted(self._database, mailbox, folder, limit)

    def missed(self, number: int, error: str, at: datetime | None) -> None:
        """A wanted message could not be had; it waits until then, or is dead."""
        settlements.missed(self._database, number, error, at)

    def unfinished(self, mailbox: str, folder: str) -> tuple[Row, ...]:
        """Rows of a folder that are not final."""
        return settlements.unfinished(self._database, mailbox, folder)

    def rekey(self, mailbox: str, pairs: Sequence[tuple[str, str]]) -> None:
        """Rows go on under another source key: (old, new)."""
        settlements.rekey(self._database, mailbox, pairs)

    def vanish(self, mailbox: str, keys: Collection[str]) -> int:
        """The source has these no more: wanted and done ones are settled as vanished."""
        return settlements.vanish(self._database, mailbox, keys)

    def load(self, mailbox: str) -> Load:
        """What of a mailbox is being worked on."""
        return settlements.load(self._database, mailbox)

    def known_keys(self, mailbox: str, keys: Collection[str]) -> frozenset[str]:
        """Which source keys are known."""
        return settlements.known_keys(self._database, mailbox, keys)

    def origins(self, effects: Collection[str]) -> Mapping[str, Origin]:
        """Whose effects these are, by their keys."""
        return queries.origins(self._database, effects)

    def known_hashes(self, mailbox: str, hashes: Collection[str]) -> frozenset[str]:
        """Which digests are known."""
        return settlements.known_hashes(self._database, mailbox, hashes)

    def forget_unlisted(self, mailbox: str, listed: Collection[str]) -> int:
        """Forget identities that the source lists no more."""
        return settlements.forget_unlisted(self._database, mailbox, listed)

    def tell(self, told: Sequence[Watched]) -> None:
        """What watchers know of their mailboxes now."""
        watching.tell(self._database, told)

    def watched(self) -> tuple[Watched, ...]:
        """What was said last of each mailbox."""
        return watching.watched(self._database)

    def decide(self, mailbox: str, decision: Decision) -> None:
        """What a person decided about a mailbox that paused."""
        watching.decide(self._database, mailbox, decision)

    def decision(self, mailbox: str) -> Decision | None:
        """What was decided; told once."""
        return watching.decision(self._database, mailbox)

    # Questions.

    def due(self, limit: int, *, leaving: Collection[str] = ()) -> tuple[int, ...]:
        """Messages that wait for a worker now, but not those of the mailboxes in `leaving` (stdin: its
        caller's)."""
        return queries.due(self._database, limit, leaving)

    def ring(self, limit: int, *, leaving: Collection[str] = (), patience: timedelta) -> Mapping[int, bool]:
        """Messages to ring for, and whether alone: their time came, or nobody has taken them for so long."""
        return rings.ring(self._database, limit, leaving, patience)

    def mend_setback(self) -> int:
        """After the clock was set back: what was due in the old time is due now; answers how much that is."""
        return setback.mend(self._database)

    def unring(self, ids: Sequence[int]) -> None:
        """Nobody has rung for these: the next sweep is to."""
        rings.unring(self._database, ids)

    def contents(self, names: Collection[str]) -> Mapping[str, bytes]:
        """Bytes of the blobs that lie in the ledger; names that are missing lie in the spool."""
        return queries.contents(self._database, names)

    def content(self, row: Row) -> bytes | None:
        """Bytes of one message; None where they lie in the spool."""
        return self.contents([row.blob]).get(row.blob) if row.blob else None

    def known_blobs(self, names: Collection[str]) -> frozenset[str]:
        """Which of these blobs have a row (for `spool.collect_orphans`)."""
        return queries.known_blobs(self._database, names)

    def find(self, query: Query) -> tuple[Row, ...]:
        """Rows without plans, newest first."""
        return queries.find(self._database, query)

    def show(self, number: int) -> Shown | None:
        """One message with plan and effects."""
        return queries.show(self._database, number)

    def backlogs(self) -> Mapping[str, Backlog]:
        """Mailboxes with messages that have not ended yet."""
        return find_backlogs(self._database)

    def counts(self) -> Counts:
        """The ledger at a glance."""
        return queries.counts(self._database)

    # Memories and leases by name.

    def reserve(self, space: str, key: str, holder: str, period: timedelta) -> Reservation:
        """Ask for a key on behalf of a message, whose `Row.key` is the holder."""
        return memory.reserve(self._database, space, key, holder, period)

    def remember(self, space: str, key: str, holder: str, period: timedelta) -> bool:
        """Remember a key; False where another message's is known or reserved."""
        return memory.remember(self._database, space, key, holder, period)

    def recall(self, space: str, key: str) -> bool:
        """Whether a key is remembered."""
        return memory.recall(self._database, space, key)

    def spend(self, name: str, tokens: int, per_minute: int) -> timedelta:
        """Take tokens of a rate that all processes share; how long to wait where there are none yet, else zero."""
        return rates.spend(self._database, name, tokens, per_minute)

    def unreserve(self, holders: Collection[str]) -> None:
        """Drop what messages have reserved that did not become ours."""
        memory.release(self._database, holders)

    def release_ghosts(self, mailbox: str, spaces: str) -> None:
        """Drop what was reserved, in spaces that begin so, for messages of the mailbox that never became ours."""
        memory.release_ghosts(self._database, mailbox, spaces)

    def lease(self, name: str, owner: Owner, period: timedelta) -> bool:
        """Take or prolong a lease by name (a mailbox's watcher); False where another has it."""
        return leases.take(self._database, name, owner, period)

    def prolong(self, names: Collection[str], owner: Owner, period: timedelta) -> frozenset[str]:
        """Prolong many leases that the owner has in one commit; answers which of them it has still."""
        return leases.prolong(self._database, names, owner, period)

    def leased(self) -> frozenset[str]:
        """Leases that somebody holds now."""
        return leases.held(self._database)

    # Operators and the sweeper.

    def replay(self, number: int, *, from_effect: int | None = None, again: bool = False) -> bool:
        """Let a message be worked on once more (`upkeep.replay`)."""
        return upkeep.replay(self._database, number, from_effect=from_effect, again=again)

    def drop(self, number: int, reason: str) -> bool:
        """Set a message aside for good."""
        return upkeep.drop(self._database, number, reason)

    def abandon(self, mailboxes: Collection[str], *, older_than: timedelta = timedelta(days=10)) -> int:
        """Rows of stdin mailboxes that were not offered again become abandoned."""
        return upkeep.abandon(self._database, mailboxes, older_than)

    def retain(self, policy: Retention, *, limit: int = 500) -> Retained:
        """One round of removing rows whose time is over; call again while `rows` equals the limit."""
        return upkeep.retain(self._database, policy, limit)

    def forget(self, mailbox: str, keys: Collection[str]) -> int:
        """Forget identities that the source no longer lists."""
        return upkeep.forget(self._database, mailbox, keys)
