"""Sockets, certificates, and how a listener ends."""

import asyncio
import socket
import stat
import threading
from pathlib import Path

import pytest

from postroom.errors import Permanent, Temporary
from postroom.settings.mailboxes import ListenerMailbox
from postroom.sources.listener.gate import Gate
from postroom.sources.listener.sockets import listening
from postroom.sources.listener.source import ListenerSource, Reception
from waiting import until

from .conftest import MAILBOX

LETTER = b"Subject: Lunch\r\n\r\nSunday?\r\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lmtp.sock"


@pytest.mark.parametrize("mode", ["0660", "0600", "666"])
def test_a_unix_socket_has_its_mode_and_is_gone_at_the_end(posts, desk, path, mode) -> None:
    post = posts(f"lmtp+unix:{path}", mode=mode)
    assert stat.S_IMODE(path.stat().st_mode) == int(mode, 8)
    with post.client() as client:
        client.greeted().envelope()
        client.say(LETTER + b".\r\n")
        assert client.heard(1) == [250]
    assert b"from client.example (local)\r\n" in desk.rows()[0].prefix
    post.stop()
    assert list(path.parent.glob("*.sock*")) == []


def test_a_socket_that_a_dead_process_left_is_replaced(posts, path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    with posts(f"lmtp+unix:{path}").client() as client:
        client.greeted()


def test_a_socket_that_somebody_listens_on_is_left_alone(posts, path) -> None:
    first = posts(f"lmtp+unix:{path}")
    second = posts(f"lmtp+unix:{path}")
    [error] = second.failed
    assert isinstance(error, Temporary)
    assert "another process" in str(error)
    with first.client() as client:
        client.greeted()


def test_a_file_that_is_no_socket_is_left_alone(posts, path) -> None:
    path.write_text("precious")
    [error] = posts(f"lmtp+unix:{path}").failed
    assert isinstance(error, Permanent)
    assert path.read_text() == "precious"


def test_a_socket_of_another_that_took_our_place_is_left_alone(posts, path) -> None:
    post = posts(f"lmtp+unix:{path}")
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        post.stop()
        assert path.exists()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("lmtp+unix:/nonexistent/lmtp.sock", "does not exist"),
        ("lmtp+unix:/tmp/" + "x" * 200, "too long"),
        ("lmtp://192.0.2.1:2424", "no such address"),
        ("lmtp://-nowhere-:2424", "cannot tell"),
    ],
)
def test_an_address_that_cannot_be_had_is_for_the_operator(posts, url, told) -> None:
    [error] = posts(url).failed
    assert isinstance(error, Permanent)
    assert told in str(error)


def test_a_port_that_is_taken_is_tried_again_later(posts) -> None:
    port = posts().listener.port
    [error] = posts(f"lmtp://127.0.0.1:{port}").failed
    assert isinstance(error, Temporary)


def test_a_name_service_that_is_away_is_tried_again_later(posts, monkeypatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", away)
    [error] = posts("lmtp://localhost:0").failed
    assert isinstance(error, Temporary)


def test_a_name_with_an_address_that_is_not_here_is_listened_on_at_its_others(posts, monkeypatch) -> None:
    """`localhost` is ::1 also where IPv6 is switched off."""
    mailbox = posts().mailbox.model_copy(update={"url": "lmtp://localhost:0"})
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in ("192.0.2.1", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with listening(mailbox, Path("/")) as [one]:
        assert one.getsockname()[0] == "127.0.0.1"


def test_starttls_goes_on_in_tls_and_the_stamp_tells(posts, desk, certificate) -> None:
    with posts(**certificate).client() as client:
        client.greeted()
        assert b"STARTTLS" in client.ask(b"LHLO client.example")
        assert client.ask(b"STARTTLS").startswith(b"220")
        client.encrypted()
        assert client.ask(b"MAIL FROM:<>").startswith(b"503"), "what was said in the clear is forgotten"
        assert b"STARTTLS" not in client.ask(b"LHLO client.example")
        assert client.ask(b"STARTTLS").startswith(b"503")
        client.envelope()
        client.say(b"Subject: big\r\n\r\n" + b"x" * 500_000 + b"\r\n.\r\n")
        assert client.heard(1) == [250]
        assert client.ask(b"QUIT").startswith(b"221")
    assert b"with LMTPS id" in desk.rows()[0].prefix


def test_semantics_11_what_is_sent_in_the_clear_behind_starttls_is_dropped(posts, desk, certificate) -> None:
    injected = b"STARTTLS\r\nLHLO evil.example\r\nMAIL FROM:<eve@example.org>\r\nRCPT TO:<ann@example.com>\r\n"
    with posts(**certificate).client() as client:
        client.greeted()
        assert client.ask(injected.removesuffix(b"\r\n")).startswith(b"220")
        client.encrypted()
        assert client.ask(b"DATA").startswith(b"503")
        assert client.ask(b"NOOP").startswith(b"250")
    assert desk.rows() == []


def test_a_handshake_that_fails_ends_the_conversation_only(posts, certificate) -> None:
    post = posts(**certificate)
    with post.client() as client:
        client.greeted().ask(b"STARTTLS")
        client.say(b"this is no TLS\r\n" * 10)
        until(lambda: client.hear() == b"")
    with post.client() as client:
        client.greeted()


def test_without_a_certificate_starttls_is_unknown(posts) -> None:
    with posts().client() as client:
        client.greeted()
        assert client.ask(b"STARTTLS").startswith(b"500")


def test_a_certificate_that_cannot_be_used_is_for_the_operator(posts, certificate) -> None:
    [error] = posts(**{**certificate, "tls-key": certificate["tls-certificate"]}).failed
    assert isinstance(error, Permanent)


def test_a_transaction_under_way_is_finished_and_idle_clients_are_told(posts, desk) -> None:
    post = posts()
    desk.held.set()
    with post.client() as busy, post.client() as idle, post.client() as receiving:
        idle.greeted()
        receiving.greeted().envelope()
        busy.greeted().envelope()
        busy.say(LETTER + b".\r\n")
        assert desk.began.wait(60)
        stopping = threading.Thread(target=post.stop)
        stopping.start()
        assert idle.hear().startswith(b"421 4.3.2")
        assert idle.hear() == b""
        receiving.say(LETTER + b".\r\n")
        desk.held.clear()
        assert busy.heard(2) == [250, 421]
        assert receiving.heard(2) == [250, 421]
        stopping.join(60)
    assert len(desk.rows()) == 2
    with pytest.raises(OSError, match="refused"):
        post.client()


def test_a_transaction_that_takes_too_long_is_cut_off_without_a_250(posts, desk) -> None:
    post = posts(drain=0.2)
    with post.client() as client:
        client.greeted().envelope()
        client.say(LETTER)
        post.stop()
        assert client.hear().startswith(b"421")
    assert desk.rows() == []


def test_replies_are_not_held_back_by_nagles_algorithm(posts) -> None:
    # asyncio sets TCP_NODELAY only on sockets that name their protocol.
    mailbox = posts().mailbox
    with listening(mailbox, Path("/")) as [one]:
        assert one.proto == socket.IPPROTO_TCP


async def test_a_client_that_comes_at_the_very_end_is_told_to_come_again(desk) -> None:
    mailbox = ListenerMailbox.model_validate({"url": "lmtp://127.0.0.1:0", **MAILBOX})
    reception = Reception(ListenerSource(mailbox)._terms(desk, Gate(desk)), mailbox)
    await reception.close(1)
    server = await asyncio.get_running_loop().create_server(reception.wire, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    assert (await reader.read()).startswith(b"421 4.3.2")
    writer.close()
    server.close()
