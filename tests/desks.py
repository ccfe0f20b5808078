"""A desk in memory for tests of sources: rows in a dictionary, drafts in a real spool, and calls that can fail."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from postroom.errors import PostroomError
from postroom.ledger import Arrival, Batch, Cursor, Recorded, Refused, Row, State, message_key
from postroom.ledger.rows import Origin, Settled, Unsettled, Waiting
from postroom.message import Edit
from postroom.sources import Loss
from postroom.sources.settlement import Settlement
from postroom.spool import Blob, Draft, Spool
from postroom.testing import Failures


class MemoryDesk:
    """`arrivals`: what was taken, by key. Messages wait for the test to call `finish`, or all end with `outcome`."""

    def __init__(self, directory: Path, *, inline: int = 1 << 16, largest: int = 1 << 20) -> None:
        self.mailbox = "test"
        self.pipeline = "main"
        self.base = directory
        self.host = "test.example"
        self.inline = inline
        self.largest = largest
        self.spool = Spool(directory / "spool")
        self.arrivals: dict[str, Arrival] = {}
        self.states: dict[str, State] = {}
        self.ids: dict[str, int] = {}
        self.batches: list[Batch] = []
        self.cursors: dict[str, Cursor] = {}
        self.works: dict[int, Settlement] = {}
        self.contents: dict[int, bytes] = {}
        self.answers: dict[int, Settled | Unsettled | Waiting] = {}
        self.events: list[str] = []
        self.heard: list[frozenset[str]] = []
        self.misses: dict[str, str] = {}
        self.takes = Failures()
        self.effects: dict[str, Origin] = {}  # of any message, by key
        self.finishes: Callable[[Arrival], dict[str, Any]] | None = None
        self._woken = asyncio.Event()
        self._called: Callable[[], None] = lambda: None
        self._changed = asyncio.Event()

    async def room(self) -> None:
        pass

    async def busy(self) -> bool:
        return State.RECEIVED in self.states.values()

    async def take(self, batch: Batch) -> tuple[Recorded | Refused, ...]:
        self.takes.count()
        self.batches.append(batch)
        answers = []
        for arrival in batch.arrivals:
            key = arrival.source_key
            new = key not in self.arrivals or self.states[key] is State.WANTED
            if new:
                self.arrivals[key] = arrival
                self.ids.setdefault(key, len(self.ids) + 1)
                received = State.WANTED if arrival.content is None else State.RECEIVED
                self.states[key] = arrival.end.state if arrival.end else received
                if self.finishes and self.states[key] is State.RECEIVED:
                    self.finish(key, **self.finishes(arrival))
            answers.append(Recorded(source_key=key, id=self.ids[key], new=new, state=self.states[key]))
        if batch.cursor is not None:
            self.cursors[batch.cursor.folder] = batch.cursor
        self._changed.set()
        return tuple(answers)

    def draft(self) -> Draft:
        return self.spool.draft()

    async def store(self, draft: Draft) -> Blob:
        return await asyncio.to_thread(draft.finish)

    async def cursor(self, folder: str) -> Cursor | None:
        return self.cursors.get(folder)

    async def known(self, keys: Collection[str]) -> frozenset[str]:
        return frozenset(keys) & self.arrivals.keys()

    async def origins(self, effects: Collection[str]) -> Mapping[str, Origin]:
        return {key: origin for key, origin in self.effects.items() if key in effects}

    async def listed(self, keys: Collection[str]) -> None:
        self.heard.append(frozenset(keys))

    async def wanted(self, folder: str, limit: int = 100) -> Sequence[Row]:
        return [
            _row(self.ids[key], self.arrivals[key], state) for key, state in self.states.items()
            if state is State.WANTED and key not in self.misses
        ][:limit]  # fmt: skip

    async def missed(self, row: Row, error: PostroomError) -> None:
        self.misses[row.source_key] = str(error)
        self._changed.set()

    async def unfinished(self, folder: str) -> Sequence[Row]:
        open_ = (State.WANTED, State.RECEIVED, State.DONE)
        return [_row(self.ids[key], self.arrivals[key], one) for key, one in self.states.items() if one in open_]

    async def vanished(self, keys: Collection[str]) -> None:
        for key in keys:
            if self.states.get(key) in (State.WANTED, State.DONE):
                self.states[key] = State.SETTLED
                self.events.append("vanished")
        self._changed.set()

    async def unsettled(self, folder: str | None = None, limit: int = 200) -> Sequence[Settlement]:
        return list(self.works.values())[:limit]

    async def settled(self, answers: Sequence[Settled | Unsettled | Waiting]) -> None:
        for answer in answers:
            self.answers[answer.message] = answer
            work = self.works.pop(answer.message)
            if isinstance(answer, Settled):
                self.states[work.key] = State.SETTLED
        self._changed.set()

    @asynccontextmanager
    async def content(self, work: Settlement) -> AsyncIterator[Sequence[bytes | memoryview]]:
        yield [self.contents[work.message]]

    async def wake(self, period: timedelta) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), period.total_seconds())
        self._woken.clear()

    @contextmanager
    def heeding(self, called: Callable[[], None]) -> Iterator[None]:
        self._called = called
        yield
        self._called = lambda: None

    def connected(self) -> None:
        self.events.append("connected")
        self._changed.set()

    def looked(self) -> None:
        self.events.append("looked")
        self._changed.set()

    def lost(self, reason: Loss) -> None:
        self.events.append(f"lost: {reason}")
        self._changed.set()

    def refused(self, error: PostroomError) -> None:
        self.events.append(f"refused: {error}")
        self._changed.set()

    # What tests say and ask.

    def finish(
        self, key: str, place: Literal["kept", "moved", "gone"] = "kept", *, again: bool = False, **more: Any
    ) -> int:
        """The message is done: it is to be settled. `more`: fields of its Settlement."""
        work = settlement(self.arrivals[key], self.ids[key], place=place, **more)
        self.works[work.message] = work
        self.states[key] = State.DONE
        self._woken.set()
        self._called()
        return work.message

    async def until(self, holds: Callable[[], object], seconds: float = 60) -> None:
        """Wait until it holds, asked whenever something happens."""
        async with asyncio.timeout(seconds):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    @property
    def bodies(self) -> list[bytes]:
        """What was taken, in order."""
        return [self.body(key) for key, arrival in self.arrivals.items() if arrival.content is not None]

    def body(self, key: str) -> bytes:
        content = self.arrivals[key].content
        if isinstance(content, Blob):
            with self.spool.open(content.name) as raw:
                return bytes(raw)
        assert content is not None
        return content


def settlement(arrival: Arrival, number: int = 1, **changes: Any) -> Settlement:
    """What is to be done about a message at its source: keep it, unless fields say otherwise."""
    given: dict[str, Any] = {
        "message": number,
        "key": arrival.source_key,
        "identity": message_key("test", arrival.source_key),
        "folder": arrival.folder,
        "place": "kept",
        "target": "",
        "create": True,
        "add": frozenset(),
        "remove": frozenset(),
        "copies": (),
        "edits": tuple[Edit, ...](),
        "discarded": False,
        "sha256": arrival.sha256,
        "size": arrival.size,
        "received": arrival.received,
        "flags": arrival.flags,
        "planned": datetime.now(UTC),
        "tries": 0,
    }
    return Settlement(**(given | changes))


def _row(number: int, arrival: Arrival, state: State) -> Row:
    return Row(
        id=number,
        mailbox="test",
        source_key=arrival.source_key,
        state=state,
        pipeline=arrival.pipeline,
        store=arrival.store,
        folder=arrival.folder,
        flags=arrival.flags,
        sender=arrival.sender,
        recipients=arrival.recipients,
        prefix=b"",
        blob=None,
        sha256=None,
        size=arrival.size,
        message_id=arrival.message_id,
        received_at=arrival.received,
    )


@asynccontextmanager
async def running(source: Any, desk: MemoryDesk) -> AsyncIterator[None]:
    """A source at its desk, until the context is left; what it raised is raised there."""
    task = asyncio.create_task(source.run(desk))
    try:
        yield
    finally:
        ended = task.done()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert not ended, "the source ended by itself"
