"""How the IMAP source waits for mail beside servers that go away, tell nothing, or refuse what they offer."""

from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

from servers import accounts
from servers.liar import CAPABILITIES, Peer, lying
from wire.imap.scripts import listed, literal, one_message, select, serve
from wire.sites import site

OAUTH = CAPABILITIES.replace("AUTH=PLAIN", "AUTH=XOAUTH2")


async def test_a_server_that_goes_away_in_idle_is_found_again(tmp_path: Path) -> None:
    """Where nobody notices that, no mail is processed for days."""
    connections = 0

    async def script(peer: Peer) -> None:
        nonlocal connections
        connections += 1
        if connections < 3:
            await peer.log_in()
            await select(peer, next=1, exists=0)
            await peer.answer("UID FETCH")
            await peer.command("IDLE")
            peer.send("+ idling")
            return
        await one_message({})(peer)

    async with lying(script) as liar, site(tmp_path, accounts.plain(liar.port)) as here, here.watching():
        await here.until(lambda: here.ends() == ["kept"])
        assert here.desk.seen.reconnects == 2


async def test_a_token_that_expires_in_the_middle_of_a_run_is_fetched_anew(tmp_path: Path) -> None:
    """Servers end the session then; the next one brings what the program prints by now."""
    token = tmp_path / "token"
    token.write_text("first")

    async def expires(peer: Peer) -> None:
        await peer.log_in(OAUTH)
        await select(peer)
        await peer.answer("UID FETCH", listed(1))
        token.write_text("second")
        await peer.command()
        peer.send("* BYE session expired")

    async def goes_on(peer: Peer) -> None:
        bodies = {r"UID FETCH .*BODY\.PEEK": lambda _: [literal(1)]}
        sizes = {r"UID FETCH .*RFC822.SIZE": lambda command: [listed(1)] if "2:*" not in command else []}
        await serve(peer, sizes | bodies, OAUTH)

    async with lying(expires, goes_on) as liar:
        command = ["cat", str(token)]
        account = accounts.plain(liar.port, start="all", idle="0.1s", auth="xoauth2", token_command=command)
        async with site(tmp_path, account) as here, here.watching():
            await here.until(lambda: here.ends() == ["kept"])
    said = [b64decode(one.split()[2]) for one in liar.said if one.startswith("AUTHENTICATE")]
    assert said == [b"user=user\1auth=Bearer %s\1\1" % one for one in (b"first", b"second")]


async def test_mail_that_comes_between_the_look_and_idle_is_not_missed(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.log_in()
        await select(peer, next=1, exists=0)
        await peer.answer(r"UID FETCH 1:\*", done="OK done")
        peer.send("* 1 EXISTS")  # unasked, and never again
        first = await peer.command()
        if first == "IDLE":  # it was on its way already
            peer.send("+ idling")
            assert await peer.line() == "DONE"
            peer.done()
            first = await peer.command()
        assert first.startswith("UID FETCH 1:*")
        peer.send(listed(1))
        peer.done()
        await peer.answer("UID FETCH 1 .*BODY", literal(1))
        await peer.hang()

    async with (
        lying(script) as liar,
        site(tmp_path, accounts.plain(liar.port, start="all")) as here,
        here.watching(),
    ):
        await here.until(lambda: here.ends() == ["kept"])


async def test_idle_is_renewed_and_the_folder_looked_at_each_time(tmp_path: Path) -> None:
    """A push is only a hint, and may never come."""

    async def script(peer: Peer) -> None:
        def look(command: str) -> list[str | bytes]:
            return [listed(1)] if peer.said.count("IDLE") >= 3 and "1:*" in command else []

        answers: dict[str, Callable[[str], list[str | bytes]]] = {
            r"UID FETCH .*RFC822.SIZE": look,
            r"UID FETCH .*BODY": lambda _: [literal(1)],
        }
        await serve(peer, answers, next=1, exists=0)

    async with lying(script) as liar:
        account = accounts.plain(liar.port, start="all", idle="0.05s")
        async with site(tmp_path, account) as here, here.watching():
            await here.until(lambda: here.ends() == ["kept"])


async def test_a_server_that_refuses_the_idle_it_offers_is_polled(tmp_path: Path) -> None:
    looks = 0

    def look(command: str) -> list[str | bytes]:
        nonlocal looks
        looks += 1
        return [listed(1)] if looks > 2 and "1:*" in command else []

    async def script(peer: Peer) -> None:
        await peer.log_in()
        await select(peer, next=1, exists=0)
        while True:
            command = await peer.command()
            if "RFC822.SIZE" in command:
                peer.send(*look(command))
            if "BODY" in command:
                peer.send(literal(1))
            peer.done("BAD unknown command" if command == "IDLE" else "OK done")

    async with lying(script) as liar:
        account = accounts.plain(liar.port, start="all", poll="0.05s")
        async with site(tmp_path, account) as here, here.watching():
            await here.until(lambda: here.ends() == ["kept"])
        assert liar.said.count("IDLE") == 1
        assert "NOOP" in liar.said
