"""`postroom check --connect`: ledger, spool, queue and every mailbox, tried out as they are configured."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from postroom.app import open_ledger, open_spool
from postroom.errors import PostroomError
from postroom.pipeline.pipeline import Pipelines
from postroom.settings import Settings, load, load_pipelines
from postroom.settings.mailboxes import Mailbox
from postroom.sources.probe import probe

AT_ONCE = 8  # mailboxes


@dataclass(frozen=True, slots=True)
class Tried:
    """One thing that was tried. `text`: what was found, or a sentence that says what is wrong."""

    name: str
    works: bool
    text: str


def connected(config: Path | None) -> list[Tried]:
    """Try everything. Raises Misconfigured."""
    settings = load(config)
    pipelines = load_pipelines(settings)
    own = [tried(name, check) for name, check in ours(settings)]
    return own + asyncio.run(mailboxes(settings, pipelines))


def ours(settings: Settings) -> Iterator[tuple[str, Callable[[], str]]]:
    """What all mailboxes stand on. Each check raises what is wrong."""
    state = settings.state_of()

    def ledger() -> str:
        with open_ledger(settings, state) as opened:
            opened.counts()
        return "answers"

    def spool() -> str:
        opened = open_spool(settings, state)
        opened.require(0)
        opened.delete(opened.write([b""]).name)
        return f"{opened.free() / 1e9:.1f} GB free"

    def queue() -> str:
        if settings.queue.url == "memory://":
            return "lives inside `postroom run`"
        from postroom.queue import check_broker, make_app

        check_broker(make_app(settings.queue, lambda ids: None), settings.queue)
        return "answers"

    yield from (("ledger", ledger), ("spool", spool), ("queue", queue))


def tried(name: str, check: Callable[[], str]) -> Tried:
    """The outcome of one check."""
    try:
        return Tried(name, True, check())
    except Exception as error:
        return Tried(name, False, _told(error))


async def mailboxes(settings: Settings, pipelines: Pipelines) -> list[Tried]:
    """All of them, some at a time, in the order of the settings."""
    limit = asyncio.Semaphore(AT_ONCE)
    base = settings.file.absolute().parent

    async def one(name: str, mailbox: Mailbox) -> Tried:
        needed = folders(pipelines, settings.pipeline_of(name) or "", mailbox)
        async with limit:
            try:
                return Tried(f"mailbox {name}", True, await probe(mailbox, base, needed))
            except Exception as error:
                return Tried(f"mailbox {name}", False, _told(error))

    served = {name: mailbox for name, mailbox in settings.mailboxes.items() if mailbox.kind != "stdin"}
    return list(await asyncio.gather(*(one(name, mailbox) for name, mailbox in served.items())))


def folders(pipelines: Pipelines, entry: str, mailbox: Mailbox) -> list[str]:
    """What the mailbox's rules name and nobody would make: those have to be there."""
    found: dict[str, None] = {}
    waiting, seen = [entry], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in pipelines:
            continue
        seen.add(name)
        for step in [step for rule in pipelines[name].rules for step in rule.do]:
            named = list(step.names())
            waiting += [one.name for one in named if one.kind == "pipeline"]
            if not (getattr(mailbox, "create", True) and getattr(step, "create", True)):
                found |= {one.name: None for one in named if one.kind == "folder"}
    return list(found)


def _told(error: Exception) -> str:
    match error:
        case PostroomError():
            return " ".join(str(error).split())
        case TimeoutError():
            return "no answer in time"
        case _:
            return f"unexpected {type(error).__name__}"
