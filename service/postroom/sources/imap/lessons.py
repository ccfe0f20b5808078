"""A folder read for learning: what came since it was last read; nothing in it is changed or marked as seen."""

from collections.abc import Callable
from dataclasses import dataclass

from postroom.settings.mailboxes import ImapMailbox
from postroom.sources.imap import uidsets
from postroom.sources.imap.bodies import RANGE, groups, is_whole
from postroom.sources.imap.connection import Imap
from postroom.sources.imap.fetched import fetched
from postroom.sources.imap.folder import Selected
from postroom.sources.imap.protocol import ALLOWANCE
from postroom.sources.imap.signal import Signal

_LINE = 200  # octets of an answer that tells a size


@dataclass(frozen=True, slots=True)
class Place:
    """How far a folder was read: all below `next` under this UIDVALIDITY."""

    validity: int
    next: int


async def read(
    account: ImapMailbox,
    folder: str,
    before: Place | None,
    *,
    history: bool,
    count: Callable[[int], None],
    take: Callable[[bytes], None],
) -> Place:
    """Give each new message to `take`, after `count` was told how many there are. A message that was moved here has a
    new UID, so that it is new. Messages of more than 1 MiB are left out.

    `history`: whether a folder that was never read is read from its beginning. Raises Lost, Rejected, Temporary.
    """
    async with await Imap.open(account) as imap:
        selected = await Selected.open(imap, folder, Signal(), examine=True)
        end = await selected.end()
        is_known = before is not None and before.validity == selected.validity
        start = before.next if before is not None and is_known else 1 if history else end
        allowance = ALLOWANCE + _LINE * selected.exists
        listed = await imap.call("UID", "FETCH", f"{start}:*", "(UID RFC822.SIZE)", allowance=allowance)
        found = fetched(listed.require().data)
        # `n:*` names the last message even where its UID is below n (RFC 3501 6.4.8).
        new = [one for uid, one in sorted(found.items()) if start <= uid < end and 0 < (one.size or 0) <= RANGE]
        count(len(new))
        for group in groups(new):
            sizes = {one.uid: one.size or 0 for one in group}
            for uids, text in uidsets.written(sizes):
                most = 2 * sum(sizes[uid] for uid in uids) + RANGE
                reply = await imap.call("UID", "FETCH", text, "(UID BODY.PEEK[])", allowance=most)
                for uid, one in fetched(reply.require().data).items():
                    if uid in sizes and one.body and is_whole(one.body, sizes[uid]):
                        take(one.body)
        return Place(selected.validity, max(start, end))
