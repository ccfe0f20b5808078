"""Looking whether an earlier try, whose end nobody recorded, has already put a message into a folder."""

from collections import defaultdict
from collections.abc import Collection

from postroom.sources import Desk
from postroom.sources.imap import bodies
from postroom.sources.imap.connection import Imap
from postroom.sources.imap.fetched import fetched
from postroom.sources.imap.folder import Selected
from postroom.sources.imap.jobs import Job, Landed
from postroom.sources.imap.markers import FIELD
from postroom.sources.imap.names import quoted
from postroom.sources.imap.signal import Signal

# An earlier try was not long ago: its copies are among the newest of the folder.
RECENT = 5_000
CANDIDATES = 20  # messages with the same mark that are looked at, newest first


async def copies(imap: Imap, folder: str, jobs: Collection[Job]) -> dict[int, Landed]:
    """By UID of the original: where an equal message lies in the folder. Leaves that folder selected."""
    there = await Selected.open(imap, folder, Signal(), examine=True)
    sizes = {job.work.size for job in jobs if job.work.sha256}
    low = max(1, await there.end() - RECENT)
    reply = await imap.call("UID", "FETCH", f"{low}:*", "(UID RFC822.SIZE)")
    told = {uid: one.size for uid, one in fetched(reply.require().data).items() if uid >= low}
    candidates = {uid: size for uid, size in told.items() if size is not None and size in sizes}
    uids: dict[str, list[int]] = defaultdict(list)
    for uid, digest in sorted((await bodies.digests(imap, candidates)).items(), reverse=True):
        uids[digest].append(uid)
    # Of several equal messages each has its own copy.
    return {
        job.uid: Landed(there.validity, uids[job.work.sha256].pop())
        for job in jobs
        if job.work.sha256 is not None and uids[job.work.sha256]
    }


async def marked(imap: Imap, folder: str, jobs: Collection[Job], desk: Desk) -> dict[int, Landed]:
    """By UID of the original: where its changed message lies in the folder. Leaves that folder selected.

    A stranger can write such a field, too, so that it is believed only as far as our signature covers the message.
    """
    there = await Selected.open(imap, folder, Signal(), examine=True)
    found: dict[int, Landed] = {}
    for job in jobs:
        reply = await imap.call("UID", "SEARCH", "HEADER", FIELD, quoted(job.work.identity))
        values = [value for data in reply.require().named("SEARCH") for value in data.values()]
        uids = sorted((int(uid) for uid in values if isinstance(uid, bytes) and uid.isdigit()), reverse=True)
        for uid in uids[:CANDIDATES]:
            witness = await bodies.witnessed(imap, uid)
            marker = None if witness is None else witness.marker
            if marker is not None and marker.name == job.work.identity and marker.is_ours(desk):
                found[job.uid] = Landed(there.validity, uid)
                break
    return found
