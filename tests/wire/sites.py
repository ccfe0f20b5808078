"""A site whose mailbox is watched by its real source at its real desk, with ledger, spool, intake and worker; only the
queue is left out: what arrives is worked on as soon as it is rung for."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import yaml

from postroom.app import home, make_tools, open_ledger, open_spool, secrets_of
from postroom.desk import MailboxDesk, Office
from postroom.intake import Intake
from postroom.ledger import Ledger, Owner, Query, Row, State
from postroom.logs import StandardError
from postroom.metrics.prometheus import Metrics
from postroom.settings import Settings, load, load_pipelines
from postroom.settings.mailboxes import ImapMailbox
from postroom.sources import source
from postroom.spool import Spool
from postroom.work import Seat, Worker
from postroom.work.claims import Keeper, Labour

KEEP = "rules: [{name: all, do: [keep]}]"


@dataclass
class Site:
    """`works`: whether messages are worked on as they come. `rung`: all that the queue was told of."""

    settings: Settings
    ledger: Ledger
    desk: MailboxDesk
    spool: Spool
    works: bool = True
    rung: list[int] = field(default_factory=list)
    work: Callable[[Sequence[int]], None] = lambda _: None

    @property
    def mailbox(self) -> ImapMailbox:
        found = self.settings.mailboxes["box"]
        assert isinstance(found, ImapMailbox)
        return found

    def rows(self, *states: State) -> list[Row]:
        """Messages in the order in which they were recorded."""
        return list(reversed(self.ledger.find(Query(states=states, limit=10_000))))

    def work_off(self) -> None:
        """Work on all that waits."""
        self.work([row.id for row in self.rows(State.RECEIVED, State.PLANNED)])

    async def bring(self, number: int) -> None:
        """Let so many come in and be done; nobody settles them at the server yet."""
        self.works = False
        async with self.watching():
            await self.until(lambda: len(self.rows(State.RECEIVED)) == number)
        self.work_off()

    def ends(self) -> list[str | None]:
        """How all messages ended; the state of those that have not."""
        return [row.outcome if row.state is State.SETTLED else row.state.value for row in self.rows()]

    async def until(self, holds: Callable[[], object], seconds: float = 60) -> None:
        """Wait until it holds."""
        end = asyncio.get_running_loop().time() + seconds
        while not holds():
            if asyncio.get_running_loop().time() > end:
                raise AssertionError(f"it does not come to hold: {self.ends()}, {self.desk.seen}")
            await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Run the source meanwhile; it must not end by itself."""
        task = asyncio.create_task(source(self.mailbox).run(self.desk))
        try:
            yield
            if task.done():
                await task
            assert not task.done(), "the source ended by itself"
        finally:
            task.cancel()
            await asyncio.wait({task})


@contextlib.asynccontextmanager
async def site(directory: Path, account: ImapMailbox, pipeline: str = KEEP, **more: object) -> AsyncIterator[Site]:
    """A site at a directory; made there where there is none, so that another call goes on where the last one ended.
    `more`: further settings."""
    settings = _written(directory, account, pipeline, more)
    state = settings.state_of()
    with contextlib.ExitStack() as stack:
        ledger = stack.enter_context(open_ledger(settings, state))
        threads = stack.enter_context(ThreadPoolExecutor(4))
        loop = asyncio.get_running_loop()
        rung: list[int] = []

        def ring(ids: Sequence[int]) -> None:
            rung.extend(ids)
            if made.works:
                threads.submit(labour.process, ids)

        spool = open_spool(settings, state)
        intake = Intake(ledger, spool, settings.limits.parser, ring)
        stack.callback(intake.close)
        office = Office(
            settings=settings,
            ledger=ledger,
            spool=spool,
            intake=intake,
            calls=threads,
            clock=lambda: datetime.now(UTC),
            secrets=secrets_of(settings, state),
            owner=Owner.current(),
            metrics=Metrics(),
            log=StandardError(level="error"),
        )
        desk = MailboxDesk("box", office)
        rules = load_pipelines(settings)
        log = StandardError(level="warning")
        worker = Worker(
            ledger=ledger,
            spool=spool,
            tools=make_tools(settings, state, ledger),
            pipelines=lambda _: rules,
            retry=settings.retry,
            log=log,
        )
        keeper = Keeper(ledger, log)
        stack.callback(keeper.close)

        def told(_: Collection[str]) -> None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(desk.progress.ring)

        def seat(row: Row) -> Seat:
            mailbox = settings.mailboxes[row.mailbox]
            return Seat(home(mailbox, row.store), mailbox.is_settled_by)

        labour = Labour(worker, keeper, seat, told)
        made = Site(settings, ledger, desk, spool, rung=rung, work=labour.process)
        yield made


def _written(directory: Path, account: ImapMailbox, pipeline: str, more: dict[str, object]) -> Settings:
    (directory / "pipelines").mkdir(exist_ok=True)
    (directory / "pipelines" / "main.yaml").write_text(pipeline)
    keys = account.model_dump(by_alias=True, mode="json", exclude_unset=True) | {"pipeline": "main"}
    if account.password is not None:
        keys["password"] = account.password.get_secret_value()
    settings = {"state": "state", "pipelines": "pipelines", "host": "test.example", "mailboxes": {"box": keys}}
    (directory / "postroom.yaml").write_text(yaml.safe_dump(settings | more))
    return load(directory / "postroom.yaml")
