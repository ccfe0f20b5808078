"""What we put into folders that are watched is no new mail: announced before, and noted with its key after."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from postroom.ledger.rows import OWN, Arrival
from postroom.sources import Desk
from postroom.sources.imap.arriving import History
from postroom.sources.imap.folder import Key
from postroom.sources.imap.jobs import Job, Landed
from postroom.sources.imap.names import Naming


@dataclass(frozen=True, kw_only=True)
class Owning:
    """Of one connection. `watched`: the folders of this mailbox by their names in its settings."""

    desk: Desk
    clock: Callable[[], datetime]
    naming: Naming
    watched: Mapping[str, History]

    async def expect(self, folder: str, jobs: Iterable[Job]) -> None:
        """These are about to appear there. Recorded before they do: a crash may follow, and the folder may be looked
        through before the server's answer is here."""
        name = self._watched(folder)
        if name is None:
            return
        self.watched[name].expects = True
        for job in jobs:
            if job.work.sha256 is not None:
                await self.desk.expect(name, job.work.sha256)

    def note(self, folder: str, job: Job, landed: Landed) -> None:
        """The server said where it is."""
        name = self._watched(folder)
        if name is None or landed.validity is None or landed.uid is None:
            return
        arrival = Arrival(
            source_key=str(Key(name, landed.validity, landed.uid)),
            pipeline=self.desk.pipeline,
            received=self.clock(),
            content=None,
            folder=name,
            flags=job.flags,
            sha256=job.work.sha256,
            size=job.work.size,
            end=OWN,
        )
        job.own.append(arrival)

    def _watched(self, folder: str) -> str | None:
        return next((name for name in self.watched if self.naming.same(name, folder)), None)
