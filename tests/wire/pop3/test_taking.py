"""What the POP3 source takes, octet by octet, of servers that drop, hang, and are wrong about sizes."""

from pathlib import Path

import pytest

from desks import MemoryDesk
from postroom.ledger import State
from servers.pop3liar import Drop, Hang, Liar
from wire.pop3.visits import GONE, MAIL, ONE, THREE, TWO, once, raising, visiting


@pytest.mark.parametrize("capabilities", [("UIDL", "PIPELINING"), ("UIDL",), ()])
async def test_every_message_is_taken_once_pipelined_or_not(desk: MemoryDesk, capabilities: tuple[str, ...]) -> None:
    liar = Liar(MAIL, capabilities)
    async with visiting(liar, desk):
        await desk.until(lambda: liar.sessions == 2)
    assert desk.bodies == [ONE, TWO, THREE]
    assert list(desk.arrivals) == ["a#1", "b#1", "c#1"]
    assert [arrival.sender for arrival in desk.arrivals.values()] == ["a@x", None, None]
    assert liar.count("RETR") == 3
    assert liar.messages == MAIL
    assert desk.heard[-1] == {"a#1", "b#1", "c#1"}


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b".\r\n..\r\n...x\r\n", id="dots"),
        pytest.param(b"a\nb\rc\r\nd\n\n.\ne\r\n", id="bare line ends"),
        pytest.param(b"x" * 300_000 + b"\r\n", id="a long line"),
        pytest.param((b".\r\n" + b"y" * 65_532) * 9 + b"\r\n", id="dots where pieces end"),
        pytest.param(b"\r\n" * 100_000, id="nothing but line ends"),
        pytest.param(bytes(range(256)).replace(b"\n", b"") * 50 + b"\r\n", id="every octet"),
        pytest.param(b"\r\n.\r" * 50_000 + b"\r\n", id="what looks like an end"),
    ],
)
async def test_the_bytes_are_those_that_the_server_has(desk: MemoryDesk, raw: bytes) -> None:
    async with visiting(Liar([("a", raw), ("b", TWO)]), desk):
        await desk.until(lambda: "b#1" in desk.arrivals)
    assert desk.bodies == [raw, TWO]


async def test_a_long_message_goes_to_the_spool_whatever_size_the_server_told(desk: MemoryDesk) -> None:
    raw = b"Subject: long\r\n\r\n" + b"x" * 70 * 4096 + b"\r\n"
    liar = Liar([("a", raw), ("b", raw)], answers={"LIST": b"+OK\r\n1 5\r\n2 300000\r\n.\r\n"})
    async with visiting(liar, desk):
        await desk.until(lambda: len(desk.arrivals) == 2)
    assert desk.bodies == [raw, raw]
    assert not any(isinstance(arrival.content, bytes) for arrival in desk.arrivals.values())


async def test_a_message_that_swallows_the_next_answer_is_never_taken_for_another(desk: MemoryDesk) -> None:
    """A server forgot the line end in front of the final dot: each answer that follows belongs to the message before,
    and what was removed for being safe was none of them."""
    liar = Liar(MAIL, answers={"RETR 2": b"+OK\r\n" + TWO[:-2] + b".\r\n"})
    desk.finishes = lambda _: GONE
    async with visiting(liar, desk, timeout="1s"):
        await desk.until(lambda: desk.misses and len(desk.bodies) == 2)
        assert desk.bodies == [ONE, THREE]
        assert list(desk.misses) == ["b#1"]
        await desk.until(lambda: len(liar.messages) == 1)
    assert liar.messages == [("b", TWO)]


async def test_a_server_that_is_wrong_about_sizes_costs_one_connection(desk: MemoryDesk) -> None:
    liar = Liar(MAIL, answers={"LIST": b"+OK\r\n1 5\r\n2 9000\r\n3 700\r\n.\r\n"})
    async with visiting(liar, desk):
        await desk.until(lambda: len(desk.bodies) == 3)
    assert sorted(desk.bodies) == sorted([ONE, TWO, THREE])
    assert liar.sessions == 2


async def test_a_message_over_the_limit_is_left_on_the_server_unread(tmp_path: Path) -> None:
    desk = MemoryDesk(tmp_path, largest=1000)
    liar = Liar([("big", b"x" * 1001), ("b", TWO)])
    async with visiting(liar, desk):
        await desk.until(lambda: len(desk.arrivals) == 2)
    assert desk.states["big#1"] is State.DEAD
    assert desk.bodies == [TWO]
    assert not liar.count("RETR 1")


async def test_a_message_that_goes_on_beyond_the_limit_ends_the_connection_and_is_not_read_again(
    tmp_path: Path,
) -> None:
    desk = MemoryDesk(tmp_path, largest=100_000)
    liar = Liar([("a", ONE), ("big", b"x" * 5_000_000), ("b", TWO)])
    liar.answers["LIST"] = b"+OK\r\n1 10\r\n2 10\r\n3 10\r\n.\r\n"
    async with visiting(liar, desk):
        await desk.until(lambda: "b#1" in desk.arrivals)
    assert desk.states == {"a#1": State.RECEIVED, "big#1": State.DEAD, "b#1": State.RECEIVED}
    assert "lost: protocol" in desk.events
    assert liar.count("RETR 2") <= 2


@pytest.mark.parametrize("answer", [Drop(), Drop(b"+OK\r\nMessage-ID: <2@"), Hang()], ids=repr)
async def test_a_connection_lost_in_the_middle_costs_no_message(desk: MemoryDesk, answer: Exception) -> None:
    liar = Liar(list(MAIL))
    once(liar, "RETR 2", answer)
    async with visiting(liar, desk, timeout="1s"):
        await desk.until(lambda: len(desk.bodies) == 3)
    assert sorted(desk.bodies) == sorted([ONE, TWO, THREE])
    assert liar.count("RETR 1") == 1, "what was read before the loss is ours"


async def test_a_message_that_the_server_dies_of_holds_up_none(desk: MemoryDesk) -> None:
    liar = Liar(list(MAIL))
    liar.answers["RETR 2"] = raising(Drop())
    async with visiting(liar, desk):
        await desk.until(lambda: desk.misses)
    assert desk.bodies == [ONE, THREE]
    assert desk.states["b#1"] is State.WANTED


@pytest.mark.parametrize("answer", [b"-ERR no such message\r\n", b"+OK\r\n.\r\n"], ids=["refused", "empty"])
async def test_a_message_that_cannot_be_had_is_tried_again_later(desk: MemoryDesk, answer: bytes) -> None:
    liar = Liar(list(MAIL), answers={"RETR 2": answer})
    async with visiting(liar, desk):
        await desk.until(lambda: desk.misses)
        assert desk.bodies == [ONE, THREE]
        liar.answers.clear()
        desk.misses.clear()
        await desk.until(lambda: desk.states["b#1"] is State.RECEIVED)
        del liar.messages[0]
    assert desk.body("b#1") == TWO


async def test_a_message_that_could_not_be_had_and_is_gone_has_vanished(desk: MemoryDesk) -> None:
    liar = Liar(list(MAIL), answers={"RETR 2": b"-ERR gone\r\n"})
    async with visiting(liar, desk):
        await desk.until(lambda: desk.misses)
        liar.messages = [MAIL[0], MAIL[2]]
        liar.answers.clear()
        desk.misses.clear()
        await desk.until(lambda: "vanished" in desk.events)
