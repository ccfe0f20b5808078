"""A POP3 mailbox as a source: visited now and then, since the protocol locks it and announces nothing."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from postroom.ledger.rows import Batch, Cursor, End, Settled, State, Waiting
from postroom.settings.mailboxes import Pop3Mailbox
from postroom.sources import Desk
from postroom.sources.losses import LoginRefused, Lost
from postroom.sources.pop3.authentication import log_in
from postroom.sources.pop3.client import Client, Rejected
from postroom.sources.pop3.fetching import Fetcher
from postroom.sources.pop3.listing import FOLDER, Listed, listing
from postroom.sources.pop3.pace import Pace
from postroom.sources.pop3.settling import Remover, vanished_or, verdict
from postroom.sources.pop3.sizes import Sizes
from postroom.sources.settlement import Settlement

MOST = 2000  # messages of a visit: what was removed counts only at its end
AT_ONCE = 5000  # settlements of a visit
RECORDED = 2000  # old messages in a commit, of which only the keys are kept
LONGEST_VISIT = 3600.0
LINGER = 10.0  # seconds in which what was just brought in may be worked on, so that it can go at once
OLD = End(State.SETTLED, outcome="kept")
"""How a message ends that lay there before its mailbox was ours, with `start: now`: known, and left alone."""


class Pop3Source:
    """One mailbox. `linger`: seconds that a visit waits for the work on what it brought in."""

    def __init__(self, settings: Pop3Mailbox, *, linger: float = LINGER) -> None:
        self._settings = settings
        self._linger = linger
        self._sizes = Sizes()

    async def run(self, desk: Desk) -> None:
        pace = Pace(self._settings.poll.total_seconds())
        while True:
            try:
                async with asyncio.timeout(LONGEST_VISIT):
                    wait = pace.after_visit(more=await self._visit(desk, pace))
            except LoginRefused as error:
                desk.refused(error)
                wait = pace.after_refusal()
            except Lost as error:
                desk.lost(error.reason)
                wait = pace.after_loss()
            except Rejected:
                desk.lost("bye")
                wait = pace.after_loss()
            except TimeoutError:
                desk.lost("timeout")
                wait = pace.after_loss()
            await asyncio.sleep(wait)

    async def _visit(self, desk: Desk, pace: Pace) -> bool:
        """One session; answers whether there is more to bring in. Raises Lost, LoginRefused, Rejected, and Permanent
        where the server cannot be used at all."""
        client = await Client.greeted(self._settings)
        try:
            pace.delay = float(client.login_delay)
            await log_in(client, self._settings)
            desk.connected()
            await client.ask_capabilities()
            pace.delay = max(pace.delay, float(client.login_delay))
            return await _Visit(client, self._settings, desk, self._linger, self._sizes).done()
        finally:
            client.close()


class _Visit:
    """A session from the login to its end."""

    def __init__(self, client: Client, settings: Pop3Mailbox, desk: Desk, linger: float, sizes: Sizes) -> None:
        self._client = client
        self._settings = settings
        self._desk = desk
        self._linger = linger
        self._sizes = sizes

    async def done(self) -> bool:
        """Bring in, settle, and end the session; answers whether there is more."""
        found = await listing(self._client)
        messages = found.messages
        await self._begin(messages)
        if messages and found.complete:
            await self._desk.listed([message.key for message in messages])
        known = await self._desk.known([message.key for message in messages])
        fresh = [message for message in messages if message.key not in known]
        fetcher = Fetcher(self._client, self._settings, self._desk, self._sizes)
        by_key = {message.key: message for message in messages}
        if self._sizes.doubted:
            await self._try_again(fetcher, by_key)
        await fetcher.take(fresh[:MOST])
        await self._try_again(fetcher, by_key)
        self._desk.looked()
        if fresh:
            await self._worked_on()
        await self._settle(messages)
        return len(fresh) > MOST

    async def _begin(self, messages: Sequence[Listed]) -> None:
        """At the first time of all: what lies there already is old, unless the settings want it."""
        if await self._desk.cursor(FOLDER) is not None:
            return
        old = messages if self._settings.start == "now" else ()
        store = str(self._settings.store) if self._settings.store else None
        now = datetime.now(UTC)
        for start in range(0, len(old), RECORDED):
            group = old[start : start + RECORDED]
            arrivals = (one.arrival(pipeline=self._desk.pipeline, store=store, at=now, end=OLD) for one in group)
            await self._desk.take(Batch(arrivals=tuple(arrivals)))
        # Last, so that a crash before it begins anew.
        await self._desk.take(Batch(arrivals=(), cursor=Cursor(folder=FOLDER, uidvalidity=0, next=0)))

    async def _try_again(self, fetcher: Fetcher, messages: dict[str, Listed]) -> None:
        for row in await self._desk.wanted(FOLDER):
            if row.source_key in messages:
                await fetcher.take_again(messages[row.source_key], row)
            else:
                await self._desk.vanished([row.source_key])

    async def _worked_on(self) -> None:
        """Wait a little for the work on what was brought in: what is done by the end of the visit can go with it."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._linger
        while (left := end - loop.time()) > 0 and await self._desk.busy():
            await self._desk.wake(timedelta(seconds=min(left, 1)))

    async def _settle(self, messages: Sequence[Listed]) -> None:
        """Settle what needs no server, mark what is to go, and believe it once the server has said goodbye."""
        remover = Remover(self._client, messages)
        answers: list[Settled | Waiting] = []
        going: list[Settlement] = []
        for work in await self._desk.unsettled(limit=AT_ONCE):
            goes = verdict(work, self._settings)
            if not remover.has(work):
                answers.append(vanished_or(work, self._settings))
            elif isinstance(goes, Waiting):
                answers.append(goes)
            elif goes:
                going.append(work)
            else:
                answers.append(Settled(message=work.message, outcome=work.place))
        if answers:
            await self._desk.settled(answers)
        marked = await remover.mark(remover.removable(going))
        if not marked:
            with suppress(Lost, Rejected):  # nothing hangs on it
                await self._client.quit()
            return
        await self._client.quit()
        # Only now they are gone (RFC 1939 6). Without that answer the next listing will tell.
        await self._desk.settled([Settled(message=work.message, outcome=work.place) for work in marked])
