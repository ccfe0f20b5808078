"""A folder got another UIDVALIDITY: none of its UIDs means what it did (RFC 2683 3.4.3). Or a server once told of UIDs
that it denies now, and the cursor went by them.

Messages are told by their contents. Rows that are not finished go on under their new keys. What arrived since the last
look, less a day, and is unknown, is new mail; when that is surprisingly much, a person decides. All else is left alone.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from postroom.ledger.rows import Batch, Cursor, Row, State
from postroom.sources import Desk
from postroom.sources.imap import bodies
from postroom.sources.imap.collecting import WIDEST, WINDOW, Collector
from postroom.sources.imap.fetched import Fetched, fetched
from postroom.sources.imap.folder import Selected

DAY = timedelta(days=1)
DECISION_SECONDS = 5.0  # between looks whether a person has decided
_ITEMS = "(UID RFC822.SIZE INTERNALDATE FLAGS)"


@dataclass(eq=False, kw_only=True)
class Reconciler:
    """Of one selected folder. `old`: the cursor that leads nowhere."""

    selected: Selected
    desk: Desk
    old: Cursor
    collector: Collector
    surprise_limit: int
    clock: Callable[[], datetime]

    async def run(self) -> Cursor:
        """Find the old messages again, take the new ones; the cursor changes last. Raises Lost, Temporary."""
        if self.old.uidvalidity != self.selected.validity:
            self.desk.uidvalidity_changed()
        end = await self.selected.end()
        began = self.clock()
        rows = await self.desk.unfinished(self.selected.name)
        rows = [row for row in rows if not row.source_key.startswith(self._prefix)]
        candidates = await self._candidates(end, rows)
        hashes = await bodies.digests(self.selected.imap, {uid: one.size or 0 for uid, one in candidates.items()})
        taken = await self._find_again(rows, hashes)
        known = await self.desk.known_hashes(frozenset(hashes.values()))
        news = [candidates[uid] for uid, digest in sorted(hashes.items()) if uid not in taken and digest not in known]
        if await self._may_take(len(news)):
            await self.collector.take(news)
        cursor = Cursor(folder=self.selected.name, uidvalidity=self.selected.validity, next=end, reconciled_at=began)
        await self.desk.take(Batch(arrivals=(), cursor=cursor))
        return cursor

    @property
    def _prefix(self) -> str:
        return self.selected.key(0)[:-1]

    async def _candidates(self, end: int, rows: list[Row]) -> dict[int, Fetched]:
        """Messages whose contents must be looked at: recent ones, and such as have the size of an unfinished one."""
        since = (self.old.reconciled_at or self.clock()) - DAY
        sizes = {row.size for row in rows if row.size}
        found: dict[int, Fetched] = {}
        low, width = 1, WINDOW
        while low < end:
            high = min(end, low + width)
            reply = await self.selected.imap.call("UID", "FETCH", f"{low}:{high - 1}", _ITEMS)
            told = {uid: one for uid, one in fetched(reply.require().data).items() if low <= uid < high}
            for uid, one in told.items():
                recent = one.arrived is None or one.arrived >= since
                if (one.size or 0) <= self.desk.largest and (recent or one.size in sizes):
                    found[uid] = one
            low, width = high, min(width * 4, WIDEST) if len(told) < WINDOW // 4 else WINDOW
        return found

    async def _find_again(self, rows: list[Row], hashes: Mapping[int, str]) -> set[int]:
        """Rows go on under new keys; those that are not found vanished. Answers which UIDs have a row now."""
        uids: dict[str, list[int]] = {}
        for uid, digest in sorted(hashes.items(), reverse=True):
            uids.setdefault(digest, []).append(uid)
        pairs, taken, gone = [], set[int](), []
        for row in rows:
            if row.sha256 is not None and uids.get(row.sha256):
                uid = uids[row.sha256].pop()
                pairs.append((row.source_key, self.selected.key(uid)))
                taken.add(uid)
            elif row.state in (State.WANTED, State.DONE):
                gone.append(row.source_key)
        if pairs:
            await self.desk.rekey(pairs)
        if gone:
            await self.desk.vanished(gone)
        return taken

    async def _may_take(self, number: int) -> bool:
        """Whether that many new messages are no surprise, or a person says so."""
        if number <= self.surprise_limit:
            return True
        self.desk.paused(
            f"the folder `{self.selected.name}` was made anew by its server (UIDVALIDITY), and {number} messages there "
            f"are unknown, more than `surprise-limit` ({self.surprise_limit}); say whether they are new mail: "
            f"postroom resume {self.desk.mailbox} --take, or --skip"
        )
        try:
            return await self._decision() == "take"
        finally:
            self.desk.paused("")

    async def _decision(self) -> str:
        while (decision := await self.desk.decision()) is None:
            await asyncio.sleep(DECISION_SECONDS)
            await self.selected.imap.call("NOOP")
        return decision
