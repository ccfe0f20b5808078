"""Group commits: what was acknowledged is durable, what failed costs only itself."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contract.transactions import writing
from postroom.errors import Temporary
from postroom.intake import Intake
from postroom.ledger import Arrival, Batch, Ledger, Query, Recorded, Refused
from postroom.ledger.statements import sql
from postroom.message import Limits
from postroom.spool import Spool


class Rings:
    """Who is rung for."""

    def __init__(self) -> None:
        self.ids: list[int] = []

    def __call__(self, ids: Sequence[int]) -> None:
        self.ids.extend(ids)


@pytest.fixture
def rings() -> Rings:
    return Rings()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


@pytest.fixture
def intake(ledger: Ledger, spool: Spool, rings: Rings) -> Iterator[Intake]:
    made = Intake(ledger, spool, Limits(), rings)
    yield made
    made.close()


def arrival(key: str, content: object = b"Message-ID: <a@b>\n\nx") -> Arrival:
    return Arrival(source_key=key, pipeline="p", received=datetime.now(UTC), content=content)  # type: ignore[arg-type]  # also a blob


async def test_when_it_answers_the_message_is_in_the_ledger(intake: Intake, ledger: Ledger, rings: Rings) -> None:
    [answer] = await intake.take("m", Batch(arrivals=(arrival("k"),)))
    assert isinstance(answer, Recorded)
    assert [(row.id, row.message_id) for row in ledger.find(Query(mailbox="m"))] == [(answer.id, "<a@b>")]
    assert rings.ids == [answer.id]


async def together(intake: Intake, ledger: Ledger, *offers: Arrival) -> tuple[list[object], int]:
    """The answers, or errors, for offers of which all but the first make one group; and how many commits there were."""
    # The first one's commit is held up until all others wait.
    commits: list[int] = []
    go = threading.Event()

    def counted() -> None:
        commits.append(1)
        if len(commits) == 1:
            assert go.wait(60)

    with writing(ledger, counted):
        first, *others = (Batch(arrivals=(one,)) for one in offers)
        taking = [asyncio.ensure_future(intake.take("m", first))]
        while not commits:
            await asyncio.sleep(0)
        taking += [asyncio.ensure_future(intake.take("m", batch)) for batch in others]
        await asyncio.sleep(0)
        go.set()
        found = await asyncio.gather(*taking, return_exceptions=True)
    return [one if isinstance(one, BaseException) else one[0] for one in found], len(commits)


async def test_what_comes_together_shares_a_commit(intake: Intake, ledger: Ledger) -> None:
    answers, commits = await together(intake, ledger, *(arrival(f"k{number}") for number in range(21)))
    assert len({answer.id for answer in answers if isinstance(answer, Recorded)}) == 21
    assert commits == 2


async def test_of_a_group_that_fails_each_is_taken_alone(intake: Intake, ledger: Ledger, spool: Spool) -> None:
    gone = spool.write([b"Subject: a\n\n"])
    spool.delete(gone.name)
    offers = [arrival("first"), arrival("a"), arrival("broken", gone), arrival("b")]
    answers, _ = await together(intake, ledger, *offers)
    assert [type(answer) for answer in answers] == [Recorded, Recorded, Temporary, Recorded]


async def test_a_known_key_gives_its_row_and_is_not_rung_for_again(intake: Intake, rings: Rings) -> None:
    [first] = await intake.take("m", Batch(arrivals=(arrival("k"),)))
    [again] = await intake.take("m", Batch(arrivals=(arrival("k"),)))
    assert isinstance(first, Recorded)
    assert isinstance(again, Recorded)
    assert (again.id, again.new) == (first.id, False)
    assert rings.ids == [first.id]


async def test_the_blob_of_a_known_message_is_removed(intake: Intake, spool: Spool) -> None:
    kept, extra = spool.write([b"Subject: a\n\n"]), spool.write([b"Subject: a\n\n"])
    await intake.take("m", Batch(arrivals=(arrival("k", kept),)))
    await intake.take("m", Batch(arrivals=(arrival("k", extra),)))
    assert list(spool.listing(datetime.now(UTC))) == [kept.name]


async def test_a_blob_that_cannot_be_removed_does_not_end_the_intake(
    intake: Intake, ledger: Ledger, spool: Spool
) -> None:
    await intake.take("m", Batch(arrivals=(arrival("k", spool.write([b"Subject: a\n\n"])),)))
    extra = spool.write([b"Subject: a\n\n"])

    def lost() -> None:
        # A directory cannot be unlinked, whoever asks.
        path = next(spool._directory.glob(f"*/{extra.name}"), None)
        if path is not None and path.is_file():
            path.unlink()
            path.mkdir()

    with writing(ledger, lost):
        [known] = await intake.take("m", Batch(arrivals=(arrival("k", extra),)))
    assert isinstance(known, Recorded)
    [next_one] = await asyncio.wait_for(intake.take("m", Batch(arrivals=(arrival("next"),))), 60)
    assert isinstance(next_one, Recorded)


async def test_a_ring_that_fails_does_not_end_the_intake(ledger: Ledger, spool: Spool) -> None:
    def away(ids: Sequence[int]) -> None:
        raise Temporary("the ledger is locked")

    intake = Intake(ledger, spool, Limits(), away)
    try:
        for key in "ab":
            [answer] = await asyncio.wait_for(intake.take("m", Batch(arrivals=(arrival(key),))), 60)
            assert isinstance(answer, Recorded)
    finally:
        intake.close()


async def test_a_value_that_the_database_refuses_costs_only_its_own_arrival(intake: Intake, rings: Rings) -> None:
    # A size that no BIGINT holds.
    bad = Arrival(source_key="bad", pipeline="p", received=datetime.now(UTC), content=None, size=2**70)
    answers = await intake.take("m", Batch(arrivals=(arrival("a"), bad, arrival("b"))))
    assert [isinstance(answer, Refused) for answer in answers] == [False, True, False]
    assert len(rings.ids) == 2


async def test_a_ledger_that_cannot_write_is_told_to_each(tmp_path: Path, spool: Spool, rings: Rings) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    intake = Intake(ledger, spool, Limits(), rings)
    with ledger._database.writing() as connection:
        connection.run(sql("DROP TABLE message"))
    try:
        tries = await asyncio.gather(
            *(intake.take("m", Batch(arrivals=(arrival(key),))) for key in "ab"), return_exceptions=True
        )
    finally:
        intake.close()
        ledger.close()
    assert [isinstance(one, Temporary) for one in tries] == [True, True]
    assert rings.ids == []


async def test_who_stops_waiting_takes_no_answer_from_others(intake: Intake, ledger: Ledger) -> None:
    gone = asyncio.ensure_future(intake.take("m", Batch(arrivals=(arrival("a"),))))
    await asyncio.sleep(0)
    gone.cancel()
    [answer] = await intake.take("m", Batch(arrivals=(arrival("b"),)))
    assert isinstance(answer, Recorded)
    assert {row.source_key for row in ledger.find(Query(mailbox="m"))} == {"a", "b"}


def test_what_waits_when_it_closes_is_still_stored(ledger: Ledger, spool: Spool, rings: Rings) -> None:
    intake = Intake(ledger, spool, Limits(), rings)

    async def leave() -> None:
        tasks = [asyncio.ensure_future(intake.take("m", Batch(arrivals=(arrival(str(n)),)))) for n in range(50)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(leave())
    intake.close()
    assert len(ledger.find(Query(mailbox="m", limit=100))) == 50
