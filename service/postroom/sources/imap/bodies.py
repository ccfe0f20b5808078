"""Bodies on their way from the server into our hands: small ones together, large ones in ranges into the spool."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from postroom.errors import Temporary
from postroom.sources import Desk
from postroom.sources.imap import uidsets
from postroom.sources.imap.connection import Imap
from postroom.sources.imap.fetched import Fetched, fetched
from postroom.sources.imap.markers import Marker, Witness
from postroom.spool import Blob

COUNT = 50  # messages in one FETCH
OCTETS = 8_000_000
RANGE = 1 << 20  # octets of a message that is fetched alone, piece by piece
_SLACK = 1 << 20


@dataclass(frozen=True, slots=True)
class Body:
    """A whole message. `marker`: what its first line says of a copy that we made, if it does."""

    content: bytes | Blob
    sha256: str
    size: int
    marker: Marker | None


def groups(messages: Sequence[Fetched]) -> list[list[Fetched]]:
    """In order, bounded by count and octets. One that is large, or whose size is not told, is alone."""
    made: list[list[Fetched]] = []
    octets = OCTETS
    for message in messages:
        size = message.size if message.size is not None else OCTETS
        if not made or len(made[-1]) >= COUNT or octets + size > OCTETS or size > RANGE:
            made.append([])
            octets = 0
        made[-1].append(message)
        octets += size if size <= RANGE else OCTETS
    return made


async def of(imap: Imap, desk: Desk, group: Sequence[Fetched]) -> dict[int, Body]:
    """The bodies of a group, by UID; those that cannot be had now, or are too large, are not among them."""
    small = [message for message in group if message.size is not None and message.size <= RANGE]
    found = await together(imap, desk, small) if small else {}
    for message in group:
        if message not in small and (message.size or 0) <= desk.largest:
            body = await alone(imap, desk, message, lenient=False)
            if body is not None:
                found[message.uid] = body
    return found


async def together(imap: Imap, desk: Desk, messages: Sequence[Fetched]) -> dict[int, Body]:
    """The bodies of small messages. One that is missing, empty or shorter than the server said is not among them."""
    sizes = {message.uid: message.size or 0 for message in messages}
    found: dict[int, Fetched] = {}
    for uids, text in uidsets.written(sizes):
        allowance = 2 * sum(sizes[uid] for uid in uids) + _SLACK
        reply = await imap.call("UID", "FETCH", text, "(UID BODY.PEEK[])", allowance=allowance)
        found |= fetched(reply.require().data)
    whole = {uid: one.body for uid, one in found.items() if uid in sizes and is_whole(one.body, sizes[uid])}
    kept = await asyncio.gather(*(_kept(desk, body) for body in whole.values() if body is not None))
    return dict(zip(whole, kept, strict=True))


def is_whole(body: bytes | None, size: int) -> bool:
    """Whether this is all of a message. RFC822.SIZE may count line ends as two octets that are sent as one."""
    if not body:
        return False
    return len(body) >= size or size - len(body) <= body.count(b"\n")


async def _kept(desk: Desk, body: bytes) -> Body:
    witness = Witness()
    witness.see(body)
    if len(body) <= desk.inline:
        return Body(body, witness.sha256, len(body), witness.marker)
    with desk.draft() as draft:
        draft.write(body)
        return Body(await desk.store(draft), witness.sha256, len(body), witness.marker)


async def alone(imap: Imap, desk: Desk, message: Fetched, *, lenient: bool) -> Body | None:
    """One message in ranges. None: it is missing, empty or short; more than `desk.largest` is not read.

    `lenient`: an end that the server shows twice is one, whatever it said of the size.
    """
    witness = Witness()
    with desk.draft() as draft:
        first = b""
        while draft.size <= desk.largest:
            piece = await _range(imap, message.uid, draft.size)
            if not piece:
                break
            first = first or piece
            witness.see(piece)
            draft.write(piece)
            if len(piece) < RANGE and not lenient and draft.size >= (message.size or 0):
                break
        short = (message.size or 0) - draft.size
        if not draft.size or (short > 0 and not lenient and short > witness.lines):
            return None
        if draft.size <= min(desk.inline, len(first)):
            return Body(first, witness.sha256, draft.size, witness.marker)
        return Body(await desk.store(draft), witness.sha256, draft.size, witness.marker)


async def digests(imap: Imap, messages: Mapping[int, int]) -> dict[int, str]:
    """SHA-256 of bodies by UID; `messages`: their sizes. Nothing is kept."""
    found: dict[int, str] = {}
    for group in groups([Fetched(uid, size=size) for uid, size in sorted(messages.items())]):
        if len(group) > 1 or (group[0].size or 0) <= RANGE:
            for uids, text in uidsets.written([one.uid for one in group]):
                allowance = 2 * sum(messages[uid] for uid in uids) + _SLACK
                reply = await imap.call("UID", "FETCH", text, "(UID BODY.PEEK[])", allowance=allowance)
                told = fetched(reply.require().data)
                found |= {uid: hashlib.sha256(one.body).hexdigest() for uid, one in told.items() if one.body}
        elif witness := await witnessed(imap, group[0].uid):
            found[group[0].uid] = witness.sha256
    return found


async def witnessed(imap: Imap, uid: int) -> Witness | None:
    """One message, seen piece by piece, of which nothing is kept; None where there is none."""
    witness, at = Witness(), 0
    while piece := await _range(imap, uid, at):
        witness.see(piece)
        at += len(piece)
        if len(piece) < RANGE:
            break
    return witness if at else None


async def _range(imap: Imap, uid: int, start: int) -> bytes:
    item = f"(UID BODY.PEEK[]<{start}.{RANGE}>)"
    reply = await imap.call("UID", "FETCH", str(uid), item, allowance=2 * RANGE + _SLACK)
    told = fetched(reply.require().data).get(uid)
    if told is None or not told.body or (start and told.origin != start):
        return b""  # a server that knows no ranges sends the whole again
    if len(told.body) > RANGE:
        raise Temporary("the server sends more of a large message than was asked for")
    return told.body
