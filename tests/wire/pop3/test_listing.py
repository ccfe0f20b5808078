"""Which messages are new, by the identities that a POP3 server tells or does not tell (UIDL)."""

import pytest

from desks import MemoryDesk
from postroom.errors import Permanent
from postroom.sources.pop3.source import Pop3Source
from postroom.testing import Failures
from servers.pop3liar import Liar, serving
from wire.pop3.visits import GONE, MAIL, ONE, THREE, TWO, account, once, visiting


async def test_two_messages_under_one_number_are_not_touched(desk: MemoryDesk) -> None:
    """By that number one of them would be removed, perhaps the other."""
    liar = Liar(MAIL)
    desk.finishes = lambda _: GONE
    once(liar, "UIDL", b"+OK\r\n1 a\r\n2 b\r\n2 c\r\n.\r\n")
    async with visiting(liar, desk):
        await desk.until(lambda: "lost: protocol" in desk.events)
        assert not liar.count("RETR")
        await desk.until(lambda: not liar.messages)
    assert desk.bodies == [ONE, TWO, THREE]


async def test_equal_uidls_are_told_apart_and_removed_from_the_last(desk: MemoryDesk) -> None:
    liar = Liar([("a", ONE), ("a", TWO), ("a", THREE)])
    async with visiting(liar, desk):
        await desk.until(lambda: len(desk.arrivals) == 3)
        desk.finish("a#2", "gone")
        await desk.until(lambda: liar.sessions >= 4)
        assert not liar.count("DELE"), "the third would become the second"
        desk.finish("a#3", "gone")
        await desk.until(lambda: len(desk.answers) == 2)
    assert liar.messages == [("a", ONE)]
    assert desk.bodies == [ONE, TWO, THREE]


async def test_a_server_without_uidl_is_refused_with_a_reason(desk: MemoryDesk) -> None:
    async with serving(Liar(MAIL, answers={"UIDL": b"-ERR unknown command\r\n"})) as liar:
        with pytest.raises(Permanent, match="UIDL"):
            await Pop3Source(account(liar)).run(desk)
    assert desk.arrivals == {}


async def test_messages_without_an_identity_are_left_and_the_others_taken(desk: MemoryDesk) -> None:
    mail = [*MAIL, ("d", ONE)]
    liar = Liar(mail, answers={"UIDL": b"+OK\r\n1 a\r\n2\r\nx y\r\n3 c\r\n4 %s\r\n.\r\n" % (b"d" * 5000)})
    async with visiting(liar, desk):
        await desk.until(lambda: len(desk.arrivals) == 2)
    assert desk.bodies == [ONE, THREE]
    assert desk.heard == [], "what is not all that lies there forgets nothing"


async def test_an_empty_listing_forgets_nothing(desk: MemoryDesk) -> None:
    liar = Liar([])
    async with visiting(liar, desk):
        await desk.until(lambda: "looked" in desk.events)
    assert desk.heard == []


async def test_start_now_leaves_what_lies_there_and_takes_what_comes(desk: MemoryDesk) -> None:
    liar = Liar(list(MAIL))
    async with visiting(liar, desk, start="now"):
        await desk.until(lambda: "looked" in desk.events)
        liar.messages.append(("d", b"new\r\n"))
        await desk.until(lambda: "d#1" in desk.arrivals)
    assert desk.bodies == [b"new\r\n"]
    assert [arrival.end and arrival.end.outcome for arrival in desk.arrivals.values()] == ["kept", "kept", "kept", None]
    assert len(liar.messages) == 4


async def test_a_crash_while_old_mail_is_recorded_takes_none_of_it(desk: MemoryDesk) -> None:
    desk.takes = Failures({2})
    liar = Liar(list(MAIL))
    async with serving(liar):
        with pytest.raises(Exception, match="told to fail"):
            await Pop3Source(account(liar, start="now")).run(desk)
    async with visiting(liar, desk, start="now"):
        await desk.until(lambda: "looked" in desk.events)
    assert desk.bodies == []


async def test_a_message_that_appears_again_is_not_taken_again(desk: MemoryDesk) -> None:
    desk.finishes = lambda arrival: GONE
    liar = Liar(list(MAIL))
    async with visiting(liar, desk):
        await desk.until(lambda: len(desk.answers) == 3)
        liar.messages = list(MAIL)
        seen = liar.sessions
        await desk.until(lambda: liar.sessions == seen + 2)
    assert liar.count("RETR") == 3
