"""The one way in: arrivals of all sources become durable in group commits, and then the queue is rung.

A thread of its own takes all that waits and stores it in one commit for each mailbox; whoever handed it over waits for
that commit. While one is on its way to the disk, the next group gathers.
"""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from queue import SimpleQueue

from postroom.errors import PostroomError, Temporary
from postroom.ledger import Arrival, Batch, Ledger, Recorded, Refused, State
from postroom.message import Limits, parse
from postroom.spool import Spool

Answers = tuple[Recorded | Refused, ...]
GROUP = 500  # arrivals in one commit
GROUP_OCTETS = 32_000_000


@dataclass(frozen=True, slots=True)
class _Offer:
    mailbox: str
    batch: Batch
    answer: "Future[Answers]"

    @property
    def octets(self) -> int:
        return sum(len(one.content) for one in self.batch.arrivals if isinstance(one.content, bytes))


class Intake:
    """Makes arrivals ours. `ring` is told the ids of those that wait for a worker, after their commit."""

    def __init__(self, ledger: Ledger, spool: Spool, limits: Limits, ring: Callable[[Sequence[int]], None]) -> None:
        self._ledger = ledger
        self._spool = spool
        self._limits = limits
        self._ring = ring
        self._offers: SimpleQueue[_Offer | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="intake")
        self._thread.start()

    async def take(self, mailbox: str, batch: Batch) -> Answers:
        """One answer for each arrival, in order. From the moment this returns they are ours. Raises Temporary."""
        answer: Future[Answers] = Future()
        self._offers.put(_Offer(mailbox, batch, answer))
        # Shielded: who stops waiting must not take the group's answer away from the thread that gives it.
        return await asyncio.shield(asyncio.wrap_future(answer))

    def close(self) -> None:
        """Store what waits, then end."""
        self._offers.put(None)
        self._thread.join()

    def _run(self) -> None:
        last = False
        while not last:
            group, last = self._gathered()
            by_mailbox: dict[str, list[_Offer]] = defaultdict(list)
            for offer in group:
                by_mailbox[offer.mailbox].append(offer)
            for mailbox, offers in by_mailbox.items():
                self._store(mailbox, offers)

    def _gathered(self) -> tuple[list[_Offer], bool]:
        """Wait for one offer, then all that is there, within bounds; and whether it was the last."""
        group: list[_Offer] = []
        arrivals = octets = 0
        while (not group or not self._offers.empty()) and arrivals < GROUP and octets < GROUP_OCTETS:
            offer = self._offers.get()
            if offer is None:
                return group, True
            group.append(offer)
            arrivals += len(offer.batch.arrivals)
            octets += offer.octets
        return group, False

    def _store(self, mailbox: str, offers: Sequence[_Offer]) -> None:
        try:
            batches = [self._read(offer.batch) for offer in offers]
            answers = self._ledger.record_all(mailbox, batches)
        except PostroomError as error:
            self._fail(mailbox, offers, error)
            return
        except Exception as error:  # unknown, therefore temporary: the source still has the messages
            self._fail(mailbox, offers, Temporary(f"it could not be recorded: unexpected {type(error).__name__}"))
            return
        # From here on they are ours, and whatever else fails must not keep anybody waiting.
        waiting = [
            answer.id
            for group in answers
            for answer in group
            if isinstance(answer, Recorded) and answer.new and answer.state is State.RECEIVED and answer.id is not None
        ]
        if waiting:
            with suppress(PostroomError):  # the sweeper finds them
                self._ring(waiting)
        for offer, group in zip(offers, answers, strict=True):
            with suppress(PostroomError):  # it is collected as an orphan
                self._clear(offer.batch, group)
            offer.answer.set_result(group)

    def _fail(self, mailbox: str, offers: Sequence[_Offer], error: PostroomError) -> None:
        """None of a failed group was stored; alone each may be."""
        if len(offers) > 1:
            for offer in offers:
                self._store(mailbox, [offer])
            return
        for offer in offers:
            offer.answer.set_exception(error)

    def _read(self, batch: Batch) -> Batch:
        """With the Message-ID of each arrival, by which people look for messages."""
        return replace(batch, arrivals=tuple(map(self._identified, batch.arrivals)))

    def _identified(self, arrival: Arrival) -> Arrival:
        content = arrival.content
        if content is None or arrival.message_id is not None:
            return arrival
        with nullcontext(content) if isinstance(content, bytes) else self._spool.open(content.name) as raw:
            return replace(arrival, message_id=parse(raw, limits=self._limits).message_id)

    def _clear(self, batch: Batch, answers: Answers) -> None:
        """Blobs of messages that were known before are nobody's."""
        kept = {
            id(arrival.content)
            for arrival, answer in zip(batch.arrivals, answers, strict=True)
            if isinstance(answer, Recorded) and answer.new
        }
        for arrival in batch.arrivals:
            if (
                arrival.content is not None
                and not isinstance(arrival.content, bytes)
                and id(arrival.content) not in kept
            ):
                self._spool.delete(arrival.content.name)
