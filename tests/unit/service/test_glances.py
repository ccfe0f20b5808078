"""Looks for what workers elsewhere have done come thick while they work, and stay away while they do not."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress

from postroom.errors import Temporary
from postroom.service.glances import Glances

NEVER = 3600.0


class Looking:
    """Counts the looks; `fails` times they are in vain."""

    def __init__(self) -> None:
        self.looks = 0
        self.fails = 0
        self.woken: list[str] = []

    async def look(self) -> Collection[str]:
        self.looks += 1
        if self.fails:
            self.fails -= 1
            raise Temporary("the ledger is away")
        return ["box"]


@asynccontextmanager
async def glancing(looking: Looking, *, quick: float, slow: float = NEVER) -> AsyncIterator[Glances]:
    glances = Glances(looking.look, looking.woken.extend, quick=quick, slow=slow)
    running = asyncio.create_task(glances.run())
    try:
        yield glances
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.001)


async def test_nobody_looks_before_workers_were_told_and_then_again_and_again() -> None:
    looking = Looking()
    async with glancing(looking, quick=0.001) as glances:
        for _ in range(100):
            await asyncio.sleep(0)
        assert looking.looks == 0
        await asyncio.to_thread(glances.hurry)
        await until(lambda: looking.looks >= 5)
        assert set(looking.woken) == {"box"}


async def test_who_is_hurried_all_the_time_looks_all_the_same() -> None:
    looking = Looking()
    async with glancing(looking, quick=0.001) as glances:

        def looked() -> bool:
            glances.hurry()
            return looking.looks >= 5

        await until(looked)


async def test_what_others_did_unasked_is_found_too_also_after_the_ledger_was_away() -> None:
    looking = Looking()
    looking.fails = 2
    async with glancing(looking, quick=0.001, slow=0.001):
        await until(lambda: looking.woken)
    assert looking.looks >= 3
