"""Answers that wait for the rules (`answer: after-plan`): plan and message are stored in one commit, or neither.

A client that speaks LMTP hears of each recipient. One that speaks SMTP hears one answer: all rejected is that; where
only some reject it the message is taken, and what rejects it is done later; one that cannot be planned now is not
taken for any. One whose planning crashed too often is taken without a plan.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from postroom.errors import PostroomError
from postroom.ledger.rows import Arrival, Batch, Recorded, Refused
from postroom.sources.listener import replies
from postroom.sources.listener.terms import Terms


@dataclass(frozen=True, slots=True)
class _Outlook:
    """What is to become of one arrival. `reply`: what its client hears; None: that it was taken. `takes`: with its
    plan."""

    arrival: Arrival
    reply: bytes | None
    takes: bool


async def taken_as_planned(arrivals: Sequence[Arrival], terms: Terms) -> list[bytes]:
    """The reply for each arrival. Raises PostroomError and TimeoutError where nothing was taken."""
    assert terms.planning is not None, "who gets here waits for plans"
    seen = await asyncio.gather(*(_looked(one, terms, terms.planning) for one in arrivals))
    outlooks = seen if terms.lmtp else _for_one_reply(seen)
    answers = iter(await _stored(outlooks, terms))
    # From here on what was taken is ours.
    told = [replies.taken(next(answers)) if one.takes else replies.FAILED for one in outlooks]
    return [reply if one.reply is None else one.reply for one, reply in zip(outlooks, told, strict=True)]


async def _stored(outlooks: Sequence[_Outlook], terms: Terms) -> Sequence[Recorded | Refused]:
    """The answers for those that are taken. What the plans of the others reserved is given back."""
    taken = tuple(one.arrival for one in outlooks if one.takes)
    left = [one.arrival for one in outlooks if not one.takes]
    if left:
        await terms.desk.forget(left, keep=bool(taken))
    if not taken:
        return ()
    try:
        async with asyncio.timeout(terms.disk):
            return await terms.desk.take(Batch(arrivals=taken))
    except PostroomError:  # nothing was stored; after a time-out it may have been
        await terms.desk.forget(taken, keep=False)
        raise


async def _looked(arrival: Arrival, terms: Terms, seconds: float) -> _Outlook:
    try:
        async with asyncio.timeout(seconds):
            planned, rejection = await terms.desk.foresee(arrival)
    except (PostroomError, TimeoutError):
        return _Outlook(arrival, replies.FAILED, takes=False)
    except Exception as error:  # unknown, therefore temporary: the client comes again
        found = {"message": "a message could not be planned", "exception": error}
        asyncio.get_running_loop().call_exception_handler(found)
        return _Outlook(arrival, replies.FAILED, takes=False)
    return _Outlook(planned, replies.rejected(rejection) if rejection else None, takes=True)


def _for_one_reply(seen: Sequence[_Outlook]) -> list[_Outlook]:
    if not all(one.takes for one in seen):
        return [replace(one, reply=replies.FAILED, takes=False) for one in seen]
    if all(one.reply for one in seen):
        return list(seen)
    return [replace(one, arrival=_unanswered(one.arrival), reply=None) for one in seen]


def _unanswered(arrival: Arrival) -> Arrival:
    """Its client hears that it was taken: what rejects it is still to be done."""
    if arrival.foreseen is None:
        return arrival
    return replace(arrival, foreseen=replace(arrival.foreseen, receipts={}))
