"""Who a POP3 server is, and who we are: login, tokens, TLS; and servers that speak something else."""

import asyncio
import ssl
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from desks import MemoryDesk, running
from postroom.errors import Permanent
from postroom.settings.mailboxes import Pop3Mailbox
from postroom.sources.pop3.source import Pop3Source
from servers.authority import self_signed
from servers.pop3liar import Hang, Liar, serving
from wire.pop3.visits import MAIL, account, once, raising, visiting


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
    times: list[float] = []

    def greeting() -> bytes:
        times.append(asyncio.get_running_loop().time())
        return b"+OK ready\r\n"

    async with visiting(Liar(MAIL, ("UIDL", "USER", "LOGIN-DELAY 2"), {"": greeting}), desk, poll="1s"):
        await desk.until(lambda: len(times) == 2)
    assert times[1] - times[0] >= 2


@pytest.fixture
def secured(tmp_path: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*self_signed(tmp_path, "IP:127.0.0.1"))
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
