"""A mailbox's side of ledger and spool, as its source sees it (`sources.Desk`)."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, ParamSpec, TypeVar

from postroom.errors import Permanent, PostroomError, Temporary
from postroom.foresight import Foresight
from postroom.intake import Intake
from postroom.ledger import (
    Arrival,
    Batch,
    Cursor,
    Ledger,
    Origin,
    Owner,
    Recorded,
    Refused,
    Row,
    Settled,
    State,
    Unsettled,
    Waiting,
    Watched,
)
from postroom.logs import Log
from postroom.message import edited
from postroom.metrics import Outcome
from postroom.metrics.prometheus import Metrics
from postroom.settings import Settings
from postroom.sources import Loss
from postroom.sources.settlement import Settlement
from postroom.spool import Blob, Draft, Spool
from postroom.work import delay

P = ParamSpec("P")
T = TypeVar("T")
GLANCE = 0.25  # seconds between looks whether there is room again, where nobody says so
AWAITED = timedelta(days=1)
LONGEST_WAIT = timedelta(hours=1)  # of what the source could not do: its folder may be back any time


@dataclass(frozen=True, kw_only=True)
class Office:
    """What all desks of one process share."""

    settings: Settings
    ledger: Ledger
    spool: Spool
    intake: Intake
    calls: Executor  # for what waits for the disk or the database
    clock: Callable[[], datetime]
    secrets: Sequence[bytes]  # the first signs, all verify
    owner: Owner
    metrics: Metrics
    log: Log
    foresight: Foresight | None = None  # only who listens needs it
    plans: Executor | None = None  # for rules that a client waits for; None: the event loop's own

    async def call(self, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Something that blocks, beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.calls, lambda: function(*arguments, **options))


class Chime:
    """Wakes all who wait. Who comes later waits for the next time."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()
        self._called: Callable[[], None] | None = None

    def ring(self) -> None:
        """From the event loop's own thread."""
        if self._called is not None:
            self._called()
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)
        self._waiting.clear()

    @contextmanager
    def calling(self, called: Callable[[], None]) -> Iterator[None]:
        """Call it with each ring: one at a time, who would else have to wait all the time."""
        self._called = called
        try:
            yield
        finally:
            self._called = None

    async def wait(self, seconds: float) -> None:
        """Until the next ring, or so long."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            await asyncio.wait([waiter], timeout=seconds)
        finally:
            self._waiting.discard(waiter)


class MailboxDesk:
    """One mailbox's desk. `progress` rings when work on its messages went on."""

    def __init__(self, mailbox: str, office: Office) -> None:
        settings = office.settings
        pipeline = settings.pipeline_of(mailbox)
        assert pipeline is not None, "the settings were checked"
        self.mailbox = mailbox
        self.pipeline = pipeline
        self.host = settings.host
        self.base = settings.file.absolute().parent
        self.largest = settings.limits.message
        self.inline = settings.spool.inline
        self.progress = Chime()
        self._offered = 0  # arrivals that are being recorded
        self.seen = Watched(mailbox=mailbox, owner=str(office.owner), connected=False, changed_at=office.clock())
        self._office = office

    # Arrivals.

    async def room(self) -> None:
        limits = self._office.settings.limits
        told = False
        while True:
            load = await self._office.call(self._office.ledger.load, self.mailbox)
            # What is on its way into the ledger is not in it, or is counted twice.
            if load.messages + self._offered < limits.in_flight and load.octets < limits.in_flight_bytes:
                try:
                    await self._office.call(self._office.spool.require, 0)
                except Temporary as error:
                    if not told:
                        self._office.log.warning("spool.short", mailbox=self.mailbox, reason=str(error))
                    told = True
                    await asyncio.sleep(5)
                    continue
                return
            await self.progress.wait(GLANCE)

    async def busy(self) -> bool:
        load = await self._office.call(self._office.ledger.load, self.mailbox)
        return load.messages > 0

    async def take(self, batch: Batch) -> tuple[Recorded | Refused, ...]:
        self._offered += len(batch.arrivals)
        try:
            answers = await self._office.intake.take(self.mailbox, batch)
        finally:
            self._offered -= len(batch.arrivals)
        for arrival, answer in zip(batch.arrivals, answers, strict=True):
            if arrival.end is not None and isinstance(answer, Recorded) and answer.new:
                outcome: Outcome = "own" if arrival.end.outcome == "own" else "kept"
                if arrival.end.state is State.DEAD:
                    outcome = "dead"
                self._office.metrics.ended(self.mailbox, arrival.pipeline, outcome)
        return answers

    async def foresee(self, arrival: Arrival) -> tuple[Arrival, str]:
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._office.plans, self._foresight.look, self.mailbox, arrival)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            # It goes on where it has begun; what it reserves is nobody's.
            work.add_done_callback(lambda done: self._late(arrival, done))
            raise

    def _late(self, arrival: Arrival, done: "asyncio.Future[tuple[Arrival, str]]") -> None:
        if not done.cancelled():
            done.exception()  # nobody waits for it any more
            with suppress(RuntimeError):  # the service ends
                self._office.calls.submit(self._foresight.forget, self.mailbox, [arrival], keep=True)

    async def forget(self, arrivals: Sequence[Arrival], *, keep: bool) -> None:
        await self._office.call(self._foresight.forget, self.mailbox, arrivals, keep=keep)

    @property
    def _foresight(self) -> Foresight:
        assert self._office.foresight is not None, "only listeners ask"
        return self._office.foresight

    def draft(self) -> Draft:
        return self._office.spool.draft()

    async def store(self, draft: Draft) -> Blob:
        return await self._office.call(draft.finish)

    async def cursor(self, folder: str) -> Cursor | None:
        return await self._office.call(self._office.ledger.cursor, self.mailbox, folder)

    async def known(self, keys: Collection[str]) -> frozenset[str]:
        return await self._office.call(self._office.ledger.known_keys, self.mailbox, keys)

    async def known_hashes(self, hashes: Collection[str]) -> frozenset[str]:
        return await self._office.call(self._office.ledger.known_hashes, self.mailbox, hashes)

    async def origins(self, effects: Collection[str]) -> Mapping[str, Origin]:
        return await self._office.call(self._office.ledger.origins, effects)

    async def listed(self, keys: Collection[str]) -> None:
        await self._office.call(self._office.ledger.forget_unlisted, self.mailbox, keys)

    async def wanted(self, folder: str, limit: int = 100) -> Sequence[Row]:
        return await self._office.call(self._office.ledger.wanted, self.mailbox, folder, limit)

    async def missed(self, row: Row, error: PostroomError) -> None:
        at = self._next_try(error, row.tries, since=row.received_at)
        await self._office.call(self._office.ledger.missed, row.id, str(error), at)

    # What became of them.

    async def unfinished(self, folder: str) -> Sequence[Row]:
        return await self._office.call(self._office.ledger.unfinished, self.mailbox, folder)

    async def rekey(self, pairs: Sequence[tuple[str, str]]) -> None:
        await self._office.call(self._office.ledger.rekey, self.mailbox, pairs)

    async def vanished(self, keys: Collection[str]) -> None:
        await self._office.call(self._office.ledger.vanish, self.mailbox, keys)

    async def unsettled(self, folder: str | None = None, limit: int = 200) -> Sequence[Settlement]:
        rows = await self._office.call(self._office.ledger.unsettled, self.mailbox, folder=folder, limit=limit)
        return [Settlement.of(row) for row in rows]

    async def settled(self, answers: Sequence[Settled | Unsettled | Waiting]) -> None:
        done = [answer for answer in answers if isinstance(answer, Settled)]
        left = [answer for answer in answers if isinstance(answer, Unsettled)]
        waiting = []
        for answer in left:
            shown = await self._office.call(self._office.ledger.show, answer.message)
            if shown is not None:
                since = shown.row.planned_at or shown.row.received_at
                waiting.append((answer, self._next_try(answer.error, shown.row.tries, since=since)))
        until = [answer for answer in answers if isinstance(answer, Waiting)]
        await self._office.call(self._office.ledger.settle, self.mailbox, done, waiting, until)
        for each in done:
            self._office.metrics.ended(self.mailbox, self.pipeline, each.outcome)
            self._office.log.info("message.settled", mailbox=self.mailbox, message=each.message)
        for died in [answer for answer, at in waiting if at is None]:
            self._office.metrics.ended(self.mailbox, self.pipeline, "dead")
            self._office.log.warning("message.dead", mailbox=self.mailbox, message=died.message)

    def _next_try(self, error: PostroomError, tries: int, *, since: datetime) -> datetime | None:
        retry, now = self._office.settings.retry, self._office.clock()
        if not error.temporary or (tries and now - since > retry.for_):
            return None
        return now + min(delay(retry, tries), LONGEST_WAIT)

    @asynccontextmanager
    async def content(self, work: Settlement) -> AsyncIterator[Sequence[bytes | memoryview]]:
        shown = await self._office.call(self._office.ledger.show, work.message)
        if shown is None or shown.row.blob is None:
            raise Permanent(f"the bytes of message {work.message} are gone")
        inline = await self._office.call(self._office.ledger.content, shown.row)
        with ExitStack() as stack:
            raw = stack.enter_context(self._office.spool.open(shown.row.blob)) if inline is None else inline
            yield [memoryview(piece) for piece in edited(raw, work.edits)]

    async def expect(self, folder: str, digest: str) -> None:
        remember = self._office.ledger.remember
        await self._office.call(remember, self._expected, f"{folder}/{digest}", self.mailbox, AWAITED)

    async def awaited(self, folder: str, digests: Collection[str]) -> frozenset[str]:
        recall = self._office.ledger.recall

        def found() -> frozenset[str]:
            return frozenset(digest for digest in digests if recall(self._expected, f"{folder}/{digest}"))

        return await self._office.call(found)

    @property
    def _expected(self) -> str:
        return f"expected {self.mailbox}"

    async def wake(self, period: timedelta) -> None:
        await self.progress.wait(period.total_seconds())

    def heeding(self, called: Callable[[], None]) -> AbstractContextManager[None]:
        return self.progress.calling(called)

    def sign(self, text: bytes) -> bytes:
        return hmac.digest(self._office.secrets[0], text, hashlib.sha256)

    def verify(self, text: bytes, signature: bytes) -> bool:
        made = [hmac.digest(secret, text, hashlib.sha256) for secret in self._office.secrets]
        return True in [hmac.compare_digest(one, signature) for one in made]

    async def decision(self) -> Literal["take", "skip"] | None:
        return await self._office.call(self._office.ledger.decision, self.mailbox)

    # What status and metrics show.

    def connected(self) -> None:
        self.seen = replace(self.seen, connected=True, changed_at=self._office.clock(), refused=None)
        self._office.metrics.connected(self.mailbox, up=True)
        self._office.log.info("mailbox.connected", mailbox=self.mailbox)

    def looked(self) -> None:
        self.seen = replace(self.seen, looked_at=self._office.clock())
        self._office.metrics.looked(self.mailbox)

    def lost(self, reason: Loss) -> None:
        if self.seen.connected:
            self.seen = replace(
                self.seen, connected=False, changed_at=self._office.clock(), reconnects=self.seen.reconnects + 1
            )
            self._office.log.warning("mailbox.lost", mailbox=self.mailbox, reason=reason)
        self._office.metrics.lost(self.mailbox, reason)

    def refused(self, error: PostroomError) -> None:
        self.seen = replace(self.seen, connected=False, changed_at=self._office.clock(), refused=str(error))
        self._office.metrics.login_refused(self.mailbox)
        self._office.log.warning("mailbox.refused", mailbox=self.mailbox, reason=str(error))

    def paused(self, reason: str) -> None:
        self.seen = replace(self.seen, paused=reason or None)
        self._office.metrics.paused(self.mailbox, up=bool(reason))
        self._office.log.warning("mailbox.paused", mailbox=self.mailbox, reason=reason or "no longer")

    def uidvalidity_changed(self) -> None:
        self._office.metrics.uidvalidity_changed(self.mailbox)
        self._office.log.warning("mailbox.uidvalidity", mailbox=self.mailbox)

    def replied(self, code: int) -> None:
        self._office.metrics.listener_reply(self.mailbox, code)
