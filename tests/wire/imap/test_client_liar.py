"""What IMAP servers do rarely, played by a scripted one; and what others recorded of real ones."""

import asyncio
import base64
import re

import pytest

from postroom.sources.imap import sockets
from postroom.sources.imap.connection import Imap
from postroom.sources.imap.fetched import fetched
from postroom.sources.imap.signal import Signal
from postroom.sources.losses import LoginRefused, Lost
from servers import accounts
from servers.dovecot import Dovecot
from servers.liar import Peer, lying


async def lost_by(*scripts: object, **keys: object) -> Lost:
    """How a session ends that logs in, selects and idles."""
    async with lying(*scripts) as liar:  # type: ignore[arg-type]
        try:
            async with await Imap.open(accounts.plain(liar.port, **keys)) as imap:
                await imap.call("SELECT", '"INBOX"')
                await imap.idle(Signal(), 30)
        except Lost as lost:
            return lost
    pytest.fail("the session did not end")


async def test_an_end_of_file_in_idle_is_noticed_at_once() -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.select()
        await peer.command("IDLE")
        peer.send("+ idling")

    assert (await lost_by(script)).reason == "closed"


async def test_a_close_instead_of_the_plus_of_idle_is_noticed() -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.select()
        await peer.command("IDLE")

    assert (await lost_by(script)).reason == "closed"


async def test_a_goodbye_in_idle_is_told_apart() -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.select()
        await peer.command("IDLE")
        peer.send("+ idling", "* BYE the machine is going down")
        await peer.hang()

    lost = await lost_by(script)
    assert lost.reason == "bye"
    assert "going down" in str(lost)


async def test_a_server_that_hangs_is_given_up_after_the_timeout() -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.command("SELECT")
        await peer.hang()

    assert (await lost_by(script, timeout="0.2s")).reason == "timeout"


async def test_a_server_that_never_answers_done_is_given_up() -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.select()
        await peer.command("IDLE")
        peer.send("+ idling", "* 1 EXISTS")
        await peer.hang()

    async with lying(script) as liar:
        attention = Signal()
        async with await Imap.open(accounts.plain(liar.port, timeout="1s")) as imap:
            await imap.call("SELECT", '"INBOX"')
            imap.listen(lambda _: attention.set())
            with pytest.raises(Lost, match="IDLE"):
                await imap.idle(attention, 30)


async def test_an_answer_that_only_trickles_is_given_up_in_the_end() -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.command("SELECT")
        while True:
            peer.send("* OK still here")
            await peer.writer.drain()
            await asyncio.sleep(0.02)

    assert (await lost_by(script, timeout="0.1s")).reason == "timeout"


async def test_a_server_that_takes_no_more_of_a_message_is_given_up() -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.command("APPEND")
        peer.send("+ go ahead")
        await asyncio.Event().wait()

    async with lying(script) as liar, await Imap.open(accounts.plain(liar.port, timeout="1s")) as imap:
        with pytest.raises(Lost, match="does not take"):
            await imap.append('"INBOX"', [bytes(30_000_000)])


async def test_a_server_that_never_greets_is_given_up() -> None:
    async def script(peer: Peer) -> None:
        await peer.hang()

    assert (await lost_by(script, timeout="0.2s")).reason == "timeout"


async def test_a_goodbye_as_greeting_is_told_at_once() -> None:
    async def script(peer: Peer) -> None:
        peer.send("* BYE too many connections")
        await peer.hang()

    lost = await lost_by(script)
    assert lost.reason == "bye"
    assert "too many" in str(lost)


async def test_an_end_within_a_literal_is_no_message() -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.select(exists=1, next=2)
        await peer.command("UID FETCH")
        peer.send("* 1 FETCH (UID 1 BODY[] {5000}", "Subject: half")
        peer.send("* BYE out of memory")

    async with lying(script) as liar, await Imap.open(accounts.plain(liar.port)) as imap:
        await imap.call("SELECT", '"INBOX"')
        with pytest.raises(Lost):
            await imap.call("UID", "FETCH", "1", "(BODY.PEEK[])")


@pytest.mark.parametrize("announced", [10**9, 2**33, 10**30])
async def test_a_literal_too_large_is_refused_before_it_comes(announced: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        peer.send(f"* 1 FETCH (UID 1 BODY[] {{{announced}}}", "x" * 100_000)
        await peer.hang()

    assert (await lost_by(script)).reason in ("protocol", "timeout")


async def test_a_server_that_floods_is_given_up() -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await peer.command("SELECT")
        while True:
            peer.send("* 1 FETCH (FLAGS ())" * 500)
            await peer.writer.drain()

    async with lying(script) as liar, await Imap.open(accounts.plain(liar.port)) as imap:
        with pytest.raises(Lost, match="far more"):
            await imap.call("SELECT", '"INBOX"', allowance=100_000)


async def test_a_line_without_end_is_given_up() -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        while True:
            peer.writer.write(b"x" * 100_000)
            await peer.writer.drain()

    assert (await lost_by(script)).reason == "protocol"


async def test_an_answer_that_nobody_asked_for_ends_the_session() -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        peer.send("ZZ9 OK surprise")
        await peer.hang()

    assert (await lost_by(script)).reason == "protocol"


async def test_nothing_that_comes_before_tls_survives_starttls(dovecot: Dovecot) -> None:
    async def script(peer: Peer) -> None:
        peer.send("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready")
        await peer.command("STARTTLS")
        peer.send(f"{peer.tag} OK begin", "* CAPABILITY IMAP4rev1 AUTH=PLAIN")
        await peer.hang()

    async with lying(script) as liar:
        account = accounts.plain(liar.port, tls="required", tls_ca=dovecot.ca)
        with pytest.raises(Lost, match="plain text after STARTTLS") as caught:
            await Imap.open(account)
    assert caught.value.reason == "tls"


async def test_a_piece_of_a_line_before_tls_is_smuggled_too(dovecot: Dovecot) -> None:
    async def script(peer: Peer) -> None:
        peer.send("* OK [CAPABILITY IMAP4rev1 STARTTLS] ready")
        await peer.command("STARTTLS")
        peer.writer.write(f"{peer.tag} OK begin\r\n* CAPA".encode())
        await peer.hang()

    async with lying(script) as liar:
        with pytest.raises(Lost, match="plain text after STARTTLS"):
            await Imap.open(accounts.plain(liar.port, tls="required", tls_ca=dovecot.ca))


async def test_a_greeting_that_needs_no_login_is_refused_where_starttls_is_required() -> None:
    async def script(peer: Peer) -> None:
        peer.send("* PREAUTH IMAP4rev1 server logged in as Smith")
        await peer.hang()

    async with lying(script) as liar:
        with pytest.raises(Lost, match="PREAUTH") as caught:
            await Imap.open(accounts.plain(liar.port, tls="required"))
        assert liar.said == []
    assert caught.value.reason == "tls"


async def test_without_starttls_no_password_is_sent() -> None:
    async def script(peer: Peer) -> None:
        peer.send("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready")
        await peer.answer("STARTTLS", done="BAD unknown")
        await peer.hang()

    async with lying(script) as liar:
        with pytest.raises(Lost, match="refuses STARTTLS"):
            await Imap.open(accounts.plain(liar.port, tls="required"))
        assert liar.said == ["STARTTLS"]


async def test_the_error_challenge_of_xoauth2_is_read_and_answered() -> None:
    async def script(peer: Peer) -> None:
        peer.send("* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2] ready")
        await peer.command("AUTHENTICATE XOAUTH2 dXNlcj11c2VyAWF1dGg9QmVhcmVyIHQwayBuAQE=$")
        peer.send("+ eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==")
        assert await peer.line() == ""
        peer.done("NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)")

    async with lying(script) as liar:
        account = accounts.plain(liar.port, auth="xoauth2", token_command=["echo", "t0k n"])
        with pytest.raises(LoginRefused, match=r"Invalid credentials.*status 401") as caught:
            await Imap.open(account)
    assert "t0k" not in str(caught.value)


@pytest.mark.parametrize(
    "said",
    [
        "no user with the password s3cret-of-mine",
        "unknown AHVzZXIAczNjcmV0LW9mLW1pbmU=",
        "x" * 190 + " s3cret-of-mine",
        "[UNAVAILABLE] s3cret-of-mine could not be looked up",
    ],
    ids=["as it is", "in base64", "cut off", "its own fault"],
)
@pytest.mark.parametrize("offers", ["", " AUTH=PLAIN SASL-IR"], ids=["LOGIN", "PLAIN"])
async def test_a_server_that_says_our_password_again_does_not_put_it_into_the_log(said: str, offers: str) -> None:
    async def script(peer: Peer) -> None:
        peer.send(f"* OK [CAPABILITY IMAP4rev1{offers}] ready")
        await peer.command("AUTHENTICATE PLAIN" if offers else "LOGIN")
        peer.done(f"NO {said}")

    async with lying(script) as liar:
        with pytest.raises((LoginRefused, Lost)) as caught:
            await Imap.open(accounts.plain(liar.port, password="s3cret-of-mine"))
    assert "s3cret" not in str(caught.value)
    assert "c2VjcmV0" not in str(caught.value)
    assert "czNjcmV0" not in str(caught.value)


async def test_a_token_waits_for_the_prompt_where_there_is_no_sasl_ir() -> None:
    async def script(peer: Peer) -> None:
        peer.send("* OK [CAPABILITY IMAP4rev1 AUTH=OAUTHBEARER] ready")
        await peer.command("AUTHENTICATE OAUTHBEARER$")
        peer.send("+ ")
        token = base64.b64decode(await peer.line())
        assert re.fullmatch(rb"n,a=user,\x01host=127\.0\.0\.1\x01port=\d+\x01auth=Bearer t\x01\x01", token)
        peer.done("NO no")

    async with lying(script) as liar:
        account = accounts.plain(liar.port, auth="oauthbearer", token_command=["echo", "t"])
        with pytest.raises(LoginRefused):
            await Imap.open(account)


async def test_no_password_goes_to_a_server_that_wants_none() -> None:
    async def script(peer: Peer) -> None:
        peer.send("* OK hello")
        await peer.answer("CAPABILITY", "* CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=XOAUTH2")
        await peer.hang()

    async with lying(script) as liar:
        with pytest.raises(LoginRefused, match="LOGINDISABLED"):
            await Imap.open(accounts.plain(liar.port))


async def test_a_server_whose_own_fault_it_is_refuses_nobody() -> None:
    async def script(peer: Peer) -> None:
        peer.send("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] ready")
        await peer.answer("AUTHENTICATE", done="NO [UNAVAILABLE] the directory is away")
        await peer.hang()

    async with lying(script) as liar:
        with pytest.raises(Lost, match="UNAVAILABLE"):
            await Imap.open(accounts.plain(liar.port))


async def test_gmail_as_recorded() -> None:
    async def script(peer: Peer) -> None:
        peer.send("* OK Gimap ready")
        await peer.command("CAPABILITY")
        peer.send("* CAPABILITY IMAP4rev1 ID SASL-IR AUTH=PLAIN")
        peer.done()
        await peer.command("AUTHENTICATE")
        peer.replay("authenticate.txt")
        await peer.answer("ID", "* ID NIL")
        await peer.command("ENABLE UTF8=ACCEPT")
        peer.replay("utf8accept.txt")
        await peer.command("NAMESPACE")
        peer.replay("namespace.txt")
        await peer.command('SELECT "Entwürfe & mehr"')
        peer.replay("select-inbox.txt")
        await peer.command("UID MOVE")
        peer.replay("uid-move.txt")
        await peer.command("UID FETCH")
        peer.replay("fetch.1+unsolicited-info.txt")
        await peer.command("LOGOUT")
        peer.send("* BYE bye")
        peer.done()

    async with lying(script) as liar, await Imap.open(accounts.plain(liar.port)) as imap:
        assert imap.has("X-GM-EXT-1", "MOVE", "UIDPLUS", "UTF8=ACCEPT")
        assert imap.naming.utf8
        selected = await imap.call("SELECT", imap.naming.written("Entwürfe & mehr"))
        assert (selected.number("UIDVALIDITY"), selected.number("UIDNEXT")) == (81, 1)
        moved = (await imap.call("UID", "MOVE", "1:50", '"a"')).copied()
        assert moved is not None
        assert len(moved[1]) == 21
        body = fetched((await imap.call("UID", "FETCH", "1", "(BODY.PEEK[])")).data)[1].body
        assert body is not None
        assert len(body) == 181614


def test_each_tls_connection_gets_a_small_buffer() -> None:
    sockets._lower_tls_buffers()
    assert sockets.sslproto.SSLProtocol.max_size == sockets.TLS_BUFFER
