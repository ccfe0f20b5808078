"""The plan of a message that is not taken yet (`answer: after-plan`): its sender can be told what it says.

A message that crashes its planning would be offered again for days. After some times it is taken as it came: from then
on it has a row, and the worker counts on and sets it aside where people look.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from mmap import mmap

from postroom import steps
from postroom.errors import PostroomError
from postroom.ledger import Arrival, Foreseen, Ledger, message_key
from postroom.logs import Log
from postroom.message import parse
from postroom.metrics import UNMEASURED, Meter
from postroom.pipeline.outcome import Receipt
from postroom.pipeline.pipeline import Pipelines
from postroom.pipeline.plan import Plan
from postroom.pipeline.planner import plan
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import Envelope, Home, View
from postroom.spool import Blob, Spool
from postroom.steps.duplicate import spaces
from postroom.tally import Tally
from postroom.work import describe, record

REJECT = "reject"
CRASHES = 3


@dataclass(frozen=True, kw_only=True)
class Foresight:
    """Plans arrivals. What a plan reserves is given back where its message is not taken in the end."""

    ledger: Ledger
    spool: Spool
    tools: Tools
    pipelines: Callable[[str], Pipelines]
    home: Callable[[str, Arrival], Home]  # of a mailbox's message
    tally: Tally
    log: Log
    crashes: int = CRASHES  # so often a message may crash its planning
    plugins: Sequence[str] = ()  # whose effects may stand in the ledger
    meter: Meter = UNMEASURED
    _begun: set[str] = field(default_factory=set, init=False, repr=False)  # mailboxes
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def look(self, mailbox: str, arrival: Arrival) -> tuple[Arrival, str]:
        """The arrival with its plan, and the text with which it is rejected; empty: it is not. Without a plan where
        making it crashed too often. Raises what planning raises: then, too, it is to be forgotten."""
        self._begin(mailbox)
        name = _name(mailbox, arrival)
        if self.tally.unfinished(name) >= self.crashes:
            self.log.warning("message.unplanned", mailbox=mailbox, reason="its planning crashed too often: it is taken")
            return arrival, ""
        try:
            with self.tally.counted(name):
                made = self._planned(mailbox, arrival)
        except Exception as error:
            tell = self.log.info if isinstance(error, PostroomError) else self.log.warning
            tell("message.unplanned", mailbox=mailbox, reason=describe(error))
            raise
        rejecting = [one for one in made.effects if one.effect.word == REJECT]
        receipts = {one.key: _told(one.effect.target) for one in rejecting}
        foreseen = Foreseen(
            plan=made.model_dump_json(exclude={"effects"}),
            effects=tuple(map(record, made.effects)),
            receipts=receipts,
        )
        return replace(arrival, foreseen=foreseen), rejecting[0].effect.target if rejecting else ""

    def forget(self, mailbox: str, arrivals: Sequence[Arrival], *, keep: bool) -> None:
        """They are not taken: what their plans reserved is free again, and so is their place in the spool."""
        self.ledger.unreserve([message_key(mailbox, one.source_key) for one in arrivals])
        if not keep:
            for name in {one.content.name for one in arrivals if isinstance(one.content, Blob)}:
                self.spool.delete(name)

    def _begin(self, mailbox: str) -> None:
        """Before the first plan for a mailbox: what plans of a process that died have reserved is nobody's, and would
        hold up these messages when they come again. A mailbox listens in one process only."""
        with self._lock:
            if mailbox not in self._begun:
                self.ledger.release_ghosts(mailbox, spaces(mailbox))
                self._begun.add(mailbox)

    def _planned(self, mailbox: str, arrival: Arrival) -> Plan:
        with self._opened(arrival) as raw:
            view = View(
                message=parse(raw, limits=self.tools.limits),
                envelope=Envelope(sender=arrival.sender, recipients=arrival.recipients),
                mailbox=mailbox,
                key=message_key(mailbox, arrival.source_key),
                home=self.home(mailbox, arrival),
                received=arrival.received,
                now=self.tools.clock(),
            )
            made = plan(self.pipelines(arrival.pipeline), arrival.pipeline, view, self.tools)
            for planned in made.effects:  # one that could not be read back must not get into the ledger
                steps.effect(planned.effect.word, self.plugins)
            self.meter.planned(made, view.message.known_defects)
            return made

    @contextmanager
    def _opened(self, arrival: Arrival) -> Iterator[bytes | mmap]:
        assert arrival.content is not None, "a listener's arrival has its bytes"
        if isinstance(arrival.content, bytes):
            yield arrival.content
            return
        with self.spool.open(arrival.content.name) as raw:
            yield raw


def _name(mailbox: str, arrival: Arrival) -> str:
    """The same each time it is offered."""
    content = arrival.content
    assert content is not None, "a listener's arrival has its bytes"
    digest = content.sha256 if isinstance(content, Blob) else hashlib.sha256(content).hexdigest()
    told = "\0".join((mailbox, arrival.pipeline, arrival.sender or "", *arrival.recipients, digest))
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def _told(text: str) -> str:
    return Receipt(detail="rejected while its sender listened", reply=text).model_dump_json()
