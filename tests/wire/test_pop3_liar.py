"""POP3 against a server that drops, hangs, lies and confuses."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from desks import MemoryDesk, running
from postroom.errors import Permanent
from postroom.ledger import State
from postroom.ledger.rows import Settled, Waiting
from postroom.settings.mailboxes import Pop3Mailbox
from postroom.sources.pop3.source import Pop3Source
from postroom.testing import Failures
from servers.dovecot import certificate
from servers.pop3liar import Drop, Hang, Liar, serving

ONE = b"Return-Path: <a@x>\r\nMessage-ID: <1@x>\r\n\r\nbody 1\r\n"
TWO, THREE = (b"Message-ID: <%d@x>\r\n\r\nbody %d\r\n" % (number, number) for number in (2, 3))
MAIL = [("a", ONE), ("b", TWO), ("c", THREE)]
GONE = {"place": "gone"}


def raising(error: Exception) -> Any:
    def answer() -> bytes:
        raise error

    return answer


def once(liar: Liar, command: str, error_or_answer: Exception | bytes) -> None:
    """Say or do it the first time only."""

    def answer() -> bytes:
        del liar.answers[command]
        if isinstance(error_or_answer, Exception):
            raise error_or_answer
        return error_or_answer

    liar.answers[command] = answer


def account(liar: Liar, **options: Any) -> Pop3Mailbox:
    given: dict[str, Any] = {
        "url": f"pop3://127.0.0.1:{liar.port}", "user": "u", "password": "secret", "tls": "off", "start": "all",
        "poll": "1s", "timeout": "5s",
    }  # fmt: skip
    return Pop3Mailbox.model_validate(given | options)


@asynccontextmanager
async def visiting(liar: Liar, desk: MemoryDesk, *, linger: float = 0, **options: Any) -> AsyncIterator[None]:
    async with serving(liar), running(Pop3Source(account(liar, **options), linger=linger), desk):
        yield


@pytest.fixture
def desk(tmp_path: Path) -> MemoryDesk:
    return MemoryDesk(tmp_path)


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


async def test_a_message_that_appears_again_is_not_taken_again(desk: MemoryDesk) -> None:
    desk.finishes = lambda arrival: GONE
    liar = Liar(list(MAIL))
    async with visiting(liar, desk):
        await desk.until(lambda: len(desk.answers) == 3)
        liar.messages = list(MAIL)
        seen = liar.sessions
        await desk.until(lambda: liar.sessions == seen + 2)
    assert liar.count("RETR") == 3


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


async def test_a_refused_login_does_not_hammer_the_server(desk: MemoryDesk) -> None:
    liar = Liar(MAIL, ("UIDL", "USER"), password="another")
    async with visiting(liar, desk):
        await desk.until(lambda: any(event.startswith("refused") for event in desk.events))
    [told] = [event for event in desk.events if event.startswith("refused")]
    assert "wrong password" in told
    assert "secret" not in told
    assert liar.sessions == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"-ERR [IN-USE] another session\r\n", "lost: bye"),
        (b"-ERR maildrop already locked\r\n", "lost: bye"),
        (b"-ERR [LOGIN-DELAY] not yet\r\n", "lost: bye"),
        (b"-ERR [SYS/TEMP] broken\r\n", "lost: bye"),
        (b"-ERR [SYS/PERM] account closed\r\n", "refused: "),
        (b"-ERR [AUTH] no\r\n", "refused: "),
        (b"-ERR whatever\r\n", "refused: "),
    ],
)
async def test_what_a_server_says_to_a_login_is_told_apart(desk: MemoryDesk, answer: bytes, reason: str) -> None:
    liar = Liar(MAIL, ("UIDL", "USER"), answers={"PASS": answer})
    async with visiting(liar, desk):
        await desk.until(lambda: desk.events)
    assert desk.events[0].startswith(reason)


async def test_a_busy_mailbox_is_visited_again(desk: MemoryDesk) -> None:
    liar = Liar(MAIL, ("UIDL", "USER"))
    once(liar, "PASS", b"-ERR [IN-USE] another session\r\n")
    async with visiting(liar, desk):
        await desk.until(lambda: len(desk.arrivals) == 3)


async def test_a_server_that_says_nothing_is_given_up(desk: MemoryDesk) -> None:
    liar = Liar(MAIL, answers={"": raising(Hang())})
    async with visiting(liar, desk, timeout="1s"):
        await desk.until(lambda: "lost: timeout" in desk.events)


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400\r\n", b"x" * 200_000, b"+ what?\r\n"], ids=["http", "endless", "plus"]
)
async def test_what_is_not_pop3_is_given_up(desk: MemoryDesk, answer: bytes) -> None:
    async with visiting(Liar(MAIL, answers={"": answer}), desk):
        await desk.until(lambda: "lost: protocol" in desk.events)


async def test_a_login_delay_is_kept(desk: MemoryDesk) -> None:
    liar = Liar(MAIL, ("UIDL", "USER", "LOGIN-DELAY 3"))
    times = []
    async with visiting(liar, desk):
        for number in (1, 2):
            await desk.until(lambda number=number: desk.events.count("looked") == number)
            times.append(asyncio.get_running_loop().time())
    assert times[1] - times[0] >= 2.9


@pytest.fixture
def secured(tmp_path: Path) -> ssl.SSLContext:
    certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    return context


async def test_stls_comes_before_anything_secret_and_old_capabilities_are_forgotten(
    desk: MemoryDesk, secured: ssl.SSLContext, tmp_path: Path
) -> None:
    liar = Liar(MAIL, tls=secured)
    async with visiting(liar, desk, tls="required", **{"tls-ca": str(tmp_path / "cert.pem")}):
        await desk.until(lambda: len(desk.arrivals) == 3)
    assert liar.heard[1:3] == ["STLS", "CAPA"]


async def test_what_is_sent_behind_the_answer_to_stls_is_refused(
    desk: MemoryDesk, secured: ssl.SSLContext, tmp_path: Path
) -> None:
    smuggled = b"+OK begin\r\n+OK\r\nPIPELINING\r\n.\r\n+OK welcome\r\n"
    liar = Liar(MAIL, tls=secured, answers={"STLS": smuggled})
    async with visiting(liar, desk, tls="required", **{"tls-ca": str(tmp_path / "cert.pem")}):
        await desk.until(lambda: "lost: tls" in desk.events)
    assert not liar.count("PASS")
    assert not liar.count("AUTH")


async def test_a_server_without_stls_never_hears_the_password(desk: MemoryDesk) -> None:
    async with serving(Liar(MAIL, answers={"STLS": b"-ERR unknown\r\n"})) as liar:
        with pytest.raises(Permanent, match="STLS"):
            await Pop3Source(account(liar, tls="required")).run(desk)
    assert liar.heard[:2] == ["(connected)", "STLS"]


async def test_a_certificate_that_nobody_vouches_for_is_not_trusted(desk: MemoryDesk, secured: ssl.SSLContext) -> None:
    liar = Liar(MAIL, tls=secured)
    async with visiting(liar, desk, tls="required"):
        await desk.until(lambda: "lost: tls" in desk.events)
    assert not liar.count("AUTH")


def tokened(**options: Any) -> dict[str, Any]:
    return {"auth": "xoauth2", "token-command": ["printf", "t0ken"]} | options


async def logged_in(liar: Liar, desk: MemoryDesk, options: dict[str, Any]) -> None:
    settings = account(liar).model_dump(by_alias=True, exclude_unset=True)
    del settings["password"]
    async with running(
        Pop3Source(Pop3Mailbox.model_validate(settings | {"timeout": "5s", "poll": "1s"} | options)), desk
    ):
        await desk.until(lambda: desk.events)


@pytest.mark.parametrize("one_line", [False, True])
async def test_a_token_is_sent_when_it_is_asked_for_or_else_in_one_line(desk: MemoryDesk, one_line: bool) -> None:
    """Row 37 of the semantics: Microsoft takes the one, others the other."""
    liar = Liar(MAIL)
    if one_line:
        liar.answers = {
            "AUTH XOAUTH2 dXNlcj11AWF1dGg9QmVhcmVyIHQwa2VuAQE=": b"+OK\r\n",
            "AUTH XOAUTH2": b"-ERR Protocol error\r\n",
        }
    async with serving(liar):
        await logged_in(liar, desk, tokened())
    assert desk.events[0] == "connected"
    assert liar.count("dXNlcj11AWF1dGg9QmVhcmVyIHQwa2VuAQE=") == (not one_line)


@pytest.mark.parametrize(("mechanism", "answer"), [("xoauth2", "answer: "), ("oauthbearer", "answer: AQ==")])
async def test_the_report_about_a_token_is_answered_and_its_status_told(
    desk: MemoryDesk, mechanism: str, answer: str
) -> None:
    """Row 37 of the semantics."""
    liar = Liar(MAIL, challenge=b64encode(b'{"status":"401","schemes":"bearer"}'))
    async with serving(liar):
        await logged_in(liar, desk, tokened(auth=mechanism))
    assert desk.events[0] == "refused: the login is refused: [AUTH] no (status 401)"
    assert answer in liar.heard


@pytest.mark.parametrize("secret", ["with\nQUIT", "with\rreturn", "with\0nul"])
async def test_a_secret_that_is_more_than_one_line_is_never_sent(desk: MemoryDesk, secret: str) -> None:
    liar = Liar(MAIL, ("UIDL", "USER"), password=secret)
    async with visiting(liar, desk, password=secret):
        await desk.until(lambda: desk.events)
    assert desk.events == ["refused: the user or its secret holds a control character"]
    assert not liar.count("USER")


async def test_a_long_password_waits_until_it_is_asked_for(desk: MemoryDesk) -> None:
    liar = Liar(MAIL)
    async with visiting(liar, desk, password="x" * 300):
        await desk.until(lambda: desk.events)
    assert "AUTH PLAIN" in liar.heard
    assert desk.events[0] == "connected"
