"""A Maildir++ on this machine as a source: watched, looked through now and then, settled by renaming."""

import asyncio
from pathlib import Path

from postroom.errors import Temporary
from postroom.ledger.rows import Unsettled
from postroom.settings.mailboxes import MaildirMailbox
from postroom.sources import Desk
from postroom.sources.maildir.alarm import Alarm
from postroom.sources.maildir.collecting import Collector
from postroom.sources.maildir.settling import Answer, Settler
from postroom.sources.settlement import Settlement
from postroom.transports import maildir
from postroom.transports.files import explained

AT_ONCE = 200  # settlements that share their syncs


class MaildirSource:
    """Only `new/` is collected: what lies in `cur/` somebody has seen."""

    def __init__(self, settings: MaildirMailbox) -> None:
        self._settings = settings

    async def run(self, desk: Desk) -> None:
        root = self._settings.directory(desk.base)
        with explained(root):
            await asyncio.to_thread(maildir.prepare, root, create=True, root=None)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._collect(root, desk))
                tasks.create_task(self._settle(root, desk))
        except ExceptionGroup as several:
            raise several.exceptions[0] from None

    async def _collect(self, root: Path, desk: Desk) -> None:
        collector = Collector(root, desk)
        loop = asyncio.get_running_loop()
        with explained(root):
            await collector.begin(everything=self._settings.start == "all")
            desk.connected()
            while True:
                end = loop.time() + self._settings.poll.total_seconds()
                # Anew each time: a directory that was replaced is never heard of again.
                async with Alarm.over(root / "new") as alarm:
                    await collector.reconcile()
                    while (left := end - loop.time()) > 0:
                        await collector.take(await alarm.wait(left))

    async def _settle(self, root: Path, desk: Desk) -> None:
        settler = Settler(root, self._settings, host=desk.host)
        while True:
            while works := await desk.unsettled(limit=AT_ONCE):
                rewriting = [work for work in works if settler.rewrites(work)]
                plain = [work for work in works if not settler.rewrites(work)]
                answers: list[Answer] = await asyncio.to_thread(settler.settle, plain) if plain else []
                answers += [await _rewritten(settler, work, desk) for work in rewriting]
                await desk.settled(answers)
            await desk.wake(self._settings.poll)


async def _rewritten(settler: Settler, work: Settlement, desk: Desk) -> Answer:
    try:
        async with desk.content(work) as chunks:
            return await asyncio.to_thread(settler.rewrite, work, chunks)
    except Temporary as error:  # its bytes cannot be read just now; others are not held up
        return Unsettled(message=work.message, error=error)
