"""What a server told of a message becomes what the ledger takes."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime

from postroom.ledger.rows import OWN, Arrival, End, State
from postroom.sources import Desk
from postroom.sources.imap.bodies import Body
from postroom.sources.imap.fetched import Fetched
from postroom.sources.imap.folder import Selected


@dataclass(eq=False)
class History:
    """Of one folder, across connections. `died`: the last one ended while bodies came; these are not asked for together
    again. `expects`: copies of ours may appear there."""

    died: bool = False
    expects: bool = False


@dataclass(eq=False, kw_only=True)
class Arriving:
    """Makes the arrivals of one selected folder."""

    selected: Selected
    desk: Desk
    clock: Callable[[], datetime]
    history: History

    def wanted(self, message: Fetched) -> Arrival:
        """Known by its key only."""
        return Arrival(
            source_key=self.selected.key(message.uid),
            pipeline=self.desk.pipeline,
            received=self.clock(),
            content=None,
            folder=self.selected.name,
            flags=(message.flags or frozenset()) - {"\\Recent"},
            size=message.size or 0,
        )

    def arrival(self, message: Fetched, body: Body | None, awaited: Collection[str]) -> Arrival:
        """Whole, ours, too large, or only wanted. `awaited`: hashes of copies that we made."""
        size = body.size if body else message.size or 0
        if size > self.desk.largest:
            return replace(self.wanted(message), end=End(State.DEAD, error=self.too_large()))
        if body is None:
            return self.wanted(message)
        if body.sha256 in awaited or (body.marker is not None and body.marker.is_ours(self.desk)):
            return replace(self.wanted(message), sha256=body.sha256, size=size, end=OWN)
        return replace(self.wanted(message), content=body.content)

    async def awaited(self, found: Collection[Body]) -> frozenset[str]:
        """Hashes of those that are copies of ours."""
        if not self.history.expects or not found:
            return frozenset()
        return await self.desk.awaited(self.selected.name, [body.sha256 for body in found])

    def too_large(self) -> str:
        """Why it is a dead letter."""
        return f"it has more bytes than `limits.message` ({self.desk.largest:,}); it was left on the server"
