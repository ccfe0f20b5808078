"""Commands that change the selected folder, each checked: what is there, what was copied, what is gone.

An EXPUNGE without UIDs is never sent: it would remove what somebody else has marked (RFC 3501 6.4.3).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from postroom.errors import PostroomError, Temporary
from postroom.sources.imap import uidsets
from postroom.sources.imap.fetched import Fetched, fetched
from postroom.sources.imap.folder import Selected
from postroom.sources.imap.jobs import NOWHERE, Landed
from postroom.sources.imap.responses import Rejected, Reply

Results = dict[int, Landed | PostroomError]
"""By UID; one that is missing was not there any more."""

DELETED = "\\Deleted"


@dataclass(frozen=True)
class Mover:
    """Acts on one selected folder. Methods raise Lost, and Rejected where a whole command is refused."""

    selected: Selected

    async def present(self, uids: Collection[int]) -> dict[int, Fetched]:
        """Those that are there, with their flags. Absence is believed the second time only."""
        found: dict[int, Fetched] = {}
        for _ in range(2):
            for _, text in uidsets.written(set(uids) - found.keys()):
                reply = await self.selected.imap.call("UID", "FETCH", text, "(UID FLAGS)")
                found |= {uid: one for uid, one in fetched(reply.require().data).items() if uid in uids}
            if found.keys() >= set(uids):
                break
            await self.selected.imap.call("NOOP")
        return found

    async def store(self, uids: Collection[int], sign: str, flags: Collection[str]) -> None:
        """Add (`+`) or remove (`-`) flags; never replace them: others set some, too."""
        for _, text in uidsets.written(uids):
            self.selected.require()
            reply = await self.selected.imap.call(
                "UID", "STORE", text, f"{sign}FLAGS.SILENT", f"({' '.join(sorted(flags))})"
            )
            reply.require()

    async def copy(self, uids: Collection[int], folder: str) -> Results:
        """Copy them into a folder that is there."""
        results: Results = {}
        for piece, text in uidsets.written(uids):
            self.selected.require()
            reply = await self.selected.imap.call("UID", "COPY", text, self.selected.imap.naming.written(folder))
            if not reply.is_ok:
                results |= dict.fromkeys(piece, _refusal(reply))
                continue
            landed = _landed(reply)
            if landed is None:
                results |= dict.fromkeys(piece, NOWHERE)
            else:
                results |= {uid: landed[uid] for uid in piece if uid in landed}
                results |= await self._left(set(piece) - landed.keys())
        return results

    async def move(self, uids: Collection[int], folder: str) -> Results:
        """Move them: by MOVE (RFC 6851), else by a copy that is checked before the original goes."""
        if self.selected.imap.has("MOVE"):
            return await self._move(uids, folder)
        results = await self.copy(uids, folder)
        await self.remove([uid for uid, landed in results.items() if isinstance(landed, Landed)])
        return results

    async def _move(self, uids: Collection[int], folder: str) -> Results:
        results: Results = {}
        for piece, text in uidsets.written(uids):
            self.selected.require()
            reply = await self.selected.imap.call("UID", "MOVE", text, self.selected.imap.naming.written(folder))
            landed = _landed(reply)
            results |= {uid: landed[uid] for uid in piece if landed and uid in landed}
            rest = set(piece) - results.keys()
            left = await self._left(rest, None if reply.is_ok else _refusal(reply))
            results |= left
            if landed is None and reply.is_ok:
                # Without UIDPLUS nothing is told; what was there before and is not now was moved.
                results |= dict.fromkeys(rest - left.keys(), NOWHERE)
        return results

    async def _left(self, uids: Collection[int], error: PostroomError | None = None) -> Results:
        """Those that are still there although they should have been taken."""
        if not uids:
            return {}
        error = error or Temporary("the server says OK, but did not take the message")
        return dict.fromkeys(await self.present(uids), error)

    async def remove(self, uids: Collection[int]) -> None:
        """Delete them; without UIDPLUS they stay, marked, until somebody expunges."""
        if not uids:
            return
        await self.store(uids, "+", [DELETED])
        if self.selected.imap.has("UIDPLUS"):
            for _, text in uidsets.written(uids):
                self.selected.require()
                (await self.selected.imap.call("UID", "EXPUNGE", text)).require()


def _landed(reply: Reply) -> Mapping[int, Landed] | None:
    copied = reply.copied()
    if copied is None:
        return None
    validity, pairs = copied
    return {here: Landed(validity, there) for here, there in pairs.items()}


def _refusal(reply: Reply) -> Rejected:
    try:
        reply.require()
    except Rejected as error:
        return error
    raise AssertionError("it was refused")
