"""From the final dot to the replies: a message becomes durable, and only then is it acknowledged."""

import asyncio

from postroom.errors import PostroomError
from postroom.ledger.rows import Arrival, Batch
from postroom.sources.listener import replies
from postroom.sources.listener.content import Content
from postroom.sources.listener.mail import Mail, Way
from postroom.sources.listener.planned import taken_as_planned
from postroom.sources.listener.stamp import Stamp
from postroom.sources.listener.terms import Terms
from postroom.spool import Blob


async def handed_over(mail: Mail, content: Content, stamp: Stamp, terms: Terms) -> list[bytes]:
    """The reply for each recipient, in their order (RFC 2033 4.2): after every failure, too."""
    if content.failure is not None:
        return [content.failure] * len(mail.recipients)
    try:
        stored = await content.finish(terms.disk)
    except (PostroomError, TimeoutError):
        return [replies.NO_SPACE] * len(mail.recipients)
    try:
        return await _taken(mail, stored, content.message_id, stamp, terms)
    except (PostroomError, TimeoutError):
        return [replies.FAILED] * len(mail.recipients)
    except Exception as error:  # a bug of ours: nothing is acknowledged, the client comes again
        found = {"message": "a message could not be taken", "exception": error}
        asyncio.get_running_loop().call_exception_handler(found)
        return [replies.FAILED] * len(mail.recipients)


async def _taken(mail: Mail, content: bytes | Blob, message_id: str | None, stamp: Stamp, terms: Terms) -> list[bytes]:
    ways = mail.ways(whole=terms.whole)
    arrivals = tuple(
        Arrival(
            source_key=f"{stamp.id}/{number}",
            pipeline=way.route.pipeline,
            received=stamp.at,
            content=content,
            sender=stamp.sender,
            recipients=way.addresses,
            store=way.route.store,
            message_id=message_id,
            prefix=stamp.fields(way.addresses),
        )
        for number, way in enumerate(ways, 1)
    )
    if terms.planning is not None:
        return _in_order(ways, await taken_as_planned(arrivals, terms))
    async with asyncio.timeout(terms.disk):
        answers = await terms.desk.take(Batch(arrivals=arrivals))
    # From here on it is ours.
    return _in_order(ways, list(map(replies.taken, answers)))


def _in_order(ways: list[Way], answers: list[bytes]) -> list[bytes]:
    placed = {place: answer for way, answer in zip(ways, answers, strict=True) for place in way.places}
    return [placed[place] for place in sorted(placed)]
