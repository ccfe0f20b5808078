"""Messages go from a POP3 server when they live elsewhere, and are believed gone after its answer to QUIT."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from desks import MemoryDesk
from postroom.ledger.rows import Settled, Waiting
from servers.pop3liar import Drop, Liar
from wire.pop3.visits import GONE, MAIL, once, visiting


async def test_a_settled_message_is_removed_and_believed_after_quit(desk: MemoryDesk) -> None:
    desk.finishes = lambda arrival: GONE
    liar = Liar(list(MAIL))
    async with visiting(liar, desk):
        await desk.until(lambda: len(desk.answers) == 3)
    assert liar.messages == []
    assert [answer.outcome for answer in desk.answers.values() if isinstance(answer, Settled)] == ["gone"] * 3


@pytest.mark.parametrize("answer", [Drop(), Drop(b"+O"), b"-ERR [SYS/TEMP] some messages not removed\r\n"], ids=repr)
async def test_a_removal_without_a_good_answer_to_quit_is_not_believed(
    desk: MemoryDesk, answer: Exception | bytes
) -> None:
    desk.finishes = lambda arrival: GONE
    liar = Liar(list(MAIL))
    once(liar, "QUIT", answer)
    async with visiting(liar, desk):
        await desk.until(lambda: desk.events.count("connected") == 2)
        assert desk.answers == {}
        await desk.until(lambda: len(desk.answers) == 3)
    assert liar.messages == []
    assert liar.count("RETR") == 3


async def test_a_removal_whose_confirmation_was_lost_is_found_done(desk: MemoryDesk) -> None:
    desk.finishes = lambda arrival: GONE
    liar = Liar(list(MAIL))

    def removed_and_silent() -> bytes:
        del liar.answers["QUIT"]
        liar.messages.clear()
        raise Drop

    liar.answers["QUIT"] = removed_and_silent
    async with visiting(liar, desk):
        await desk.until(lambda: len(desk.answers) == 3)
    assert [answer.outcome for answer in desk.answers.values() if isinstance(answer, Settled)] == ["gone"] * 3
    assert liar.count("DELE") == 3


async def test_a_drop_before_quit_leaves_everything_and_repeats_nothing(desk: MemoryDesk) -> None:
    desk.finishes = lambda arrival: GONE
    liar = Liar(list(MAIL))
    once(liar, "DELE 2", Drop())
    async with visiting(liar, desk):
        await desk.until(lambda: "lost: closed" in desk.events)
        assert len(liar.messages) == 3
        await desk.until(lambda: len(desk.answers) == 3)
    assert liar.count("RETR") == 3


async def test_a_removal_that_the_server_refuses_is_asked_again(desk: MemoryDesk) -> None:
    desk.finishes = lambda arrival: GONE
    liar = Liar(list(MAIL))
    once(liar, "DELE 2", b"-ERR not now\r\n")
    async with visiting(liar, desk):
        await desk.until(lambda: len(desk.answers) == 2)
        assert liar.messages == [MAIL[1]]
        await desk.until(lambda: len(desk.answers) == 3)


@pytest.mark.parametrize(
    ("options", "place", "left"),
    [
        pytest.param({}, "kept", True, id="kept, and the server is the only place"),
        pytest.param({}, "gone", False, id="gone"),
        pytest.param({"store": "/store"}, "kept", False, id="kept in the store"),
        pytest.param({"store": "/store"}, "moved", False, id="moved in the store"),
        pytest.param({"store": "/store", "keep-on-server": True}, "kept", True, id="kept in both"),
        pytest.param({"keep-on-server": True}, "gone", True, id="left on the server all the same"),
    ],
)
async def test_the_copy_on_the_server_goes_only_where_the_message_lives_elsewhere(
    desk: MemoryDesk, options: dict[str, Any], place: str, left: bool
) -> None:
    desk.finishes = lambda arrival: {"place": place}
    liar = Liar([MAIL[0]])
    async with visiting(liar, desk, **options):
        await desk.until(lambda: desk.answers)
    assert [answer.outcome for answer in desk.answers.values() if isinstance(answer, Settled)] == [place]
    assert bool(liar.messages) == left
    assert desk.arrivals["a#1"].store == options.get("store")


async def test_a_copy_is_kept_on_the_server_for_so_long(desk: MemoryDesk) -> None:
    liar = Liar([MAIL[0], MAIL[1]])
    async with visiting(liar, desk, **{"keep-on-server": "7d"}):
        await desk.until(lambda: len(desk.arrivals) == 2)
        young = desk.finish("a#1", "gone")
        old = desk.finish("b#1", "gone", received=datetime.now(UTC) - timedelta(days=8))
        await desk.until(lambda: len(desk.answers) == 2)
    assert desk.answers[young] == Waiting(message=young, until=desk.arrivals["a#1"].received + timedelta(days=7))
    assert isinstance(desk.answers[old], Settled)
    assert liar.messages == [MAIL[0]]


async def test_a_message_that_the_user_removed_has_vanished(desk: MemoryDesk) -> None:
    liar = Liar(list(MAIL))
    async with visiting(liar, desk):
        await desk.until(lambda: len(desk.arrivals) == 3)
    liar.messages.clear()
    number = desk.finish("a#1", "kept")
    async with visiting(liar, desk):
        await desk.until(lambda: desk.answers)
    assert desk.answers[number] == Settled(message=number, outcome="vanished")
