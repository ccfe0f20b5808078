"""A changed message takes the place of its original: first it is appended, with flags and time of the other."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from postroom.errors import Permanent
from postroom.sources import Desk
from postroom.sources.imap import markers, seeking
from postroom.sources.imap.fetched import fetched
from postroom.sources.imap.folder import Selected
from postroom.sources.imap.jobs import NOWHERE, Job, Landed
from postroom.sources.imap.owning import Owning

_LIMIT = re.compile(r"APPENDLIMIT=(\d{1,18})")
# What only the server sets, or what the original alone is to have.
_NOT_OURS = {"\\recent", "\\deleted"}


@dataclass(frozen=True)
class Rewriter:
    """Of one selected folder."""

    selected: Selected
    desk: Desk
    owning: Owning

    async def put(self, job: Job, folder: str, *, doubtful: bool) -> None:
        """Have the changed message in the folder, once. `doubtful`: an earlier try may have put it there.

        Raises Permanent, Temporary, Lost.
        """
        landed = await self._earlier(job, folder) if doubtful else None
        self.owning.note(folder, job, landed or await self._append(job, folder))

    async def _earlier(self, job: Job, folder: str) -> Landed | None:
        async with self.selected.away():
            return (await seeking.marked(self.selected.imap, folder, [job], self.desk)).get(job.uid)

    async def _append(self, job: Job, folder: str) -> Landed:
        imap = self.selected.imap
        reply = await imap.call("UID", "FETCH", str(job.uid), "(UID FLAGS INTERNALDATE)")
        told = fetched(reply.require().data).get(job.uid)
        flags = told.flags if told and told.flags is not None else job.flags
        async with self.desk.content(job.work) as pieces:
            content = [markers.line(self.desk, job.work.identity, _sha256(pieces)), *pieces]
            self._check_size(sum(len(piece) for piece in content))
            reply = await imap.append(
                imap.naming.written(folder),
                content,
                flags=[flag for flag in flags if flag.lower() not in _NOT_OURS],
                date=told.date if told else None,
            )
        appended = reply.require().appended()
        return Landed(*appended) if appended else NOWHERE

    def _check_size(self, size: int) -> None:
        for capability in self.selected.imap.capabilities:
            if (found := _LIMIT.fullmatch(capability)) and size > int(found[1]):
                raise Permanent(f"the server takes no message of {size:,} bytes (APPENDLIMIT): set `rewrite: false`")


def _sha256(pieces: Sequence[bytes | memoryview]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
