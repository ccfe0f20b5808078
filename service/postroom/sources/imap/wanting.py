"""Messages that are known by key only: fetched one by one, each failure its own."""

from dataclasses import dataclass

from postroom.errors import Permanent, Temporary
from postroom.ledger.rows import Batch, Row
from postroom.sources import Desk
from postroom.sources.imap import bodies
from postroom.sources.imap.arriving import Arriving
from postroom.sources.imap.bodies import Body
from postroom.sources.imap.fetched import Fetched, fetched
from postroom.sources.imap.folder import Key, Selected
from postroom.sources.losses import Lost

AT_ONCE = 100


@dataclass(eq=False, kw_only=True)
class Wanting:
    """Of one selected folder."""

    selected: Selected
    desk: Desk
    arriving: Arriving

    async def fetch(self) -> None:
        """Try all whose time has come. Raises Lost, after it was noted which one was being fetched."""
        while rows := await self.desk.wanted(self.selected.name, AT_ONCE):
            for row in rows:
                await self._one(row)

    async def _one(self, row: Row) -> None:
        key = Key.read(row.source_key)
        if key is None or key.validity != self.selected.validity:
            await self.desk.vanished([row.source_key])
            return
        try:
            await self._fetch(row, key.uid)
        except Lost as error:
            await self.desk.missed(row, error)
            raise

    async def _fetch(self, row: Row, uid: int) -> None:
        message = await self._told(uid)
        if message is None:
            await self.desk.vanished([row.source_key])
            return
        # A server that is at odds with its own RFC822.SIZE again is believed the second time.
        size = message.size or 0
        body = None
        if size <= self.desk.largest:
            body = await bodies.alone(self.selected.imap, self.desk, message, lenient=row.tries > 0)
        if size > self.desk.largest or (body is not None and body.size > self.desk.largest):
            await self.desk.missed(row, Permanent(self.arriving.too_large()))
        elif body is None:
            await self.desk.missed(row, Temporary("the server lists the message but does not give all of it"))
        else:
            await self._take(row, message, body)

    async def _told(self, uid: int) -> Fetched | None:
        """What the server says of it; asked twice before it counts as gone."""
        for _ in range(2):
            reply = await self.selected.imap.call("UID", "FETCH", str(uid), "(UID RFC822.SIZE FLAGS)")
            if (told := fetched(reply.require().data).get(uid)) is not None:
                return told
            await self.selected.imap.call("NOOP")
        return None

    async def _take(self, row: Row, message: Fetched, body: Body) -> None:
        self.selected.require()
        arrival = self.arriving.arrival(message, body, await self.arriving.awaited([body]))
        if arrival.end is None:
            await self.desk.take(Batch(arrivals=(arrival,)))
        else:  # ours: nothing is to be done with it
            await self.desk.vanished([row.source_key])
