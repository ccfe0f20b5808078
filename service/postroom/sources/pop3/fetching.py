"""From the server to the desk: messages in groups, each one commit, the next group under way meanwhile."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from postroom.errors import Temporary
from postroom.ledger.rows import Arrival, Batch, End, Row, State
from postroom.settings.mailboxes import Pop3Mailbox
from postroom.sources import Desk
from postroom.sources.head import HEAD, sender_of
from postroom.sources.losses import Lost
from postroom.sources.pop3.client import Client, Rejected
from postroom.sources.pop3.listing import FOLDER, Listed
from postroom.sources.pop3.sizes import Sizes
from postroom.spool import Blob, Draft

GROUP = 50  # messages that share a commit, and are asked for at once where the server allows that
GROUP_OCTETS = 8_000_000


_Coming = Arrival | asyncio.Task[Arrival]
"""A message that was read; a large one as soon as the disk has it."""


class TooLong(Lost):
    """A message that goes on after `limits.message`; the rest of it can only be escaped by hanging up."""


class Fetcher:
    """One session's. Methods raise Lost and Temporary; what was read until then is handed over all the same."""

    def __init__(self, client: Client, settings: Pop3Mailbox, desk: Desk, sizes: Sizes) -> None:
        self._client = client
        self._desk = desk
        self._sizes = sizes
        self._store = str(settings.store) if settings.store else None
        self._handing_over: asyncio.Task[object] | None = None

    async def take(self, messages: Sequence[Listed]) -> None:
        """Messages that nobody knows yet. One that cannot be had is noted by its key, and holds up none."""
        fitting = [message for message in messages if message.size <= self._desk.largest]
        if long := [message for message in messages if message.size > self._desk.largest]:
            await self._desk.take(Batch(arrivals=tuple(self._left(message, message.size) for message in long)))
        try:
            for group in _groups(fitting):
                await self._desk.room()
                await self._take(group)
        finally:
            await self._handed_over()

    async def take_again(self, message: Listed, row: Row) -> None:
        """A message that could not be had before: alone, whatever it does to the connection."""
        self._client.send(f"RETR {message.number}")
        try:
            arrival = await self._retrieved(message, alone=True)
            await self._take_in([arrival])
        except TooLong:
            await self._desk.take(Batch(arrivals=(self._left(message, self._desk.largest + 1),)))
            raise
        except (Rejected, Lost) as error:
            await self._desk.missed(row, error)
            if isinstance(error, Lost):
                raise

    async def _take(self, group: Sequence[Listed]) -> None:
        arrivals: list[_Coming] = []
        if self._client.pipelines:
            self._client.send(*(f"RETR {message.number}" for message in group))
        try:
            for message in group:
                if not self._client.pipelines:
                    self._client.send(f"RETR {message.number}")
                try:
                    arrivals.append(await self._retrieved(message))
                except Rejected:
                    arrivals.append(self._noted(message))
                except TooLong:
                    arrivals.append(self._left(message, self._desk.largest + 1))
                    raise
                except Lost:
                    # It may be this very message that the server dies of: it is tried later, and alone.
                    arrivals.append(self._noted(message))
                    raise
        finally:
            await self._handed_over()
            if arrivals:
                self._handing_over = asyncio.create_task(self._take_in(arrivals))

    async def _take_in(self, coming: Sequence["_Coming"]) -> None:
        """One that cannot be stored holds up no other. Raises Temporary."""
        arrivals, failure = [], None
        for one in coming:
            try:
                arrivals.append(await one if isinstance(one, asyncio.Task) else one)
            except Temporary as error:
                failure = error
        if arrivals:
            await self._desk.take(Batch(arrivals=tuple(arrivals)))
        if failure is not None:
            raise failure

    async def _handed_over(self) -> None:
        """Wait for the group before: one commit is under way at a time."""
        if self._handing_over is not None:
            task, self._handing_over = self._handing_over, None
            await task

    async def _retrieved(self, message: Listed, *, alone: bool = False) -> "_Coming":
        """Read what answers a RETR; a large one is on its way to the disk while the next is read. Raises Rejected where
        there is no message in it."""
        pieces: list[bytes] = []
        size = lines = 0
        start = b""
        draft: Draft | None = self._desk.draft() if message.size > self._desk.inline else None
        try:
            async for piece in await self._client.message():
                size += len(piece)
                lines += piece.count(b"\n")
                if size > self._desk.largest:
                    raise TooLong("protocol", "a message is longer than the server said, and than `limits.message`")
                if len(start) < HEAD:
                    start += piece[: HEAD - len(start)]
                if draft is None and size > self._desk.inline:
                    draft = self._desk.draft()
                    draft.write(b"".join(pieces))
                    pieces.clear()
                if draft is None:
                    pieces.append(piece)
                else:
                    draft.write(piece)
            if message.size and not size:
                raise Rejected("the server sent nothing in place of a message", "")
            self._weigh(message, size, lines, alone=alone)
            if draft is None:
                return self._arrived(message, start, b"".join(pieces))
            storing, draft = self._stored(message, start, draft), None
            return asyncio.create_task(storing)
        finally:
            if draft is not None:
                draft.discard()

    async def _stored(self, message: Listed, start: bytes, draft: Draft) -> Arrival:
        with draft:
            return self._arrived(message, start, await self._desk.store(draft))

    def _weigh(self, message: Listed, size: int, lines: int, *, alone: bool) -> None:
        """Raises Lost where this may be another message, or more than one."""
        fits = self._sizes.fit(told=message.size, came=size, lines=lines)
        if alone:
            self._sizes.answer(fits=fits)
        elif self._sizes.exact and not fits:
            self._sizes.doubted = True
            raise Lost("protocol", "a message does not have the size that the server told")

    def _arrived(self, message: Listed, start: bytes, content: bytes | Blob) -> Arrival:
        return Arrival(
            source_key=message.key,
            pipeline=self._desk.pipeline,
            store=self._store,
            received=datetime.now(UTC),
            content=content,
            sender=sender_of(start),
            folder=FOLDER,
        )

    def _noted(self, message: Listed, end: End | None = None) -> Arrival:
        return message.arrival(pipeline=self._desk.pipeline, store=self._store, at=datetime.now(UTC), end=end)

    def _left(self, message: Listed, size: int) -> Arrival:
        told = f"it has {size:,} octets or more, and `limits.message` is less; it was left on the server"
        return self._noted(message, End(State.DEAD, error=told))


def _groups(messages: Sequence[Listed]) -> Iterator[Sequence[Listed]]:
    group: list[Listed] = []
    octets = 0
    for message in messages:
        if group and (len(group) >= GROUP or octets + message.size > GROUP_OCTETS):
            yield group
            group, octets = [], 0
        group.append(message)
        octets += message.size
    if group:
        yield group
