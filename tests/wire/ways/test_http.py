"""The POST of a webhook beside servers that are honest, slow, rude, or somewhere else."""

import socket
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from postroom.errors import Permanent, PostroomError, Temporary
from postroom.transports.http import Answer, Post, host_of, post
from servers.authority import self_signed
from servers.web import Web, lying, serving, silent

LONG = timedelta(seconds=20)
HERE = ("127.0.0.1",)


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as found:
        yield found


def request(url: str, **changes: Any) -> Post:
    given: dict[str, Any] = {
        "headers": {},
        "chunks": [b"one ", memoryview(b"two")],
        "timeout": LONG,
        "allow_private": True,
    }
    return Post(url=url, **(given | changes))


def test_a_post_goes_out_whole_and_is_answered(web: Web) -> None:
    answer = post(request(web.url("/a/b?c=d"), headers={"X-One": "grün"}))
    assert answer == Answer(204)
    [seen] = web.requests
    assert (seen.path, seen.body) == ("/a/b?c=d", b"one two")
    assert seen.headers["host"] == f"127.0.0.1:{web.port}"
    assert seen.headers["content-length"] == "7"
    assert seen.headers["x-one"].encode("latin-1").decode() == "grün"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, None), (201, None), (299, None), (301, Permanent), (302, Permanent), (307, Permanent), (308, Permanent),
        (400, Permanent), (401, Permanent), (404, Permanent), (408, Temporary), (410, Permanent), (413, Permanent),
        (425, Temporary), (429, Temporary), (500, Temporary), (502, Temporary), (503, Temporary), (599, Temporary),
    ],
)  # fmt: skip
def test_the_status_says_whether_a_later_try_may_help(web: Web, status: int, error: type[PostroomError] | None) -> None:
    web.answers = [(status, {})]
    answer = post(request(web.url()))
    if error is None:
        answer.check()
        return
    with pytest.raises(error, match=str(status)):
        answer.check()


@pytest.mark.parametrize(
    ("value", "after"),
    [
        ("120", timedelta(minutes=2)), ("0", timedelta(minutes=1)), ("-5", None), ("soon", None), ("1" * 40, None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", timedelta(minutes=1)), ("Fri, 99 Dec", None), ("", None),
    ],
    ids=repr,
)  # fmt: skip
def test_retry_after_is_read_and_never_means_at_once(web: Web, value: str, after: timedelta | None) -> None:
    web.answers = [(503, {"Retry-After": value})]
    with pytest.raises(Temporary) as raised:
        post(request(web.url())).check()
    assert raised.value.after == after


def test_retry_after_may_be_a_date(web: Web) -> None:
    web.answers = [(503, {"Retry-After": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 3600))})]
    after = post(request(web.url())).after
    assert after is not None
    assert timedelta(minutes=58) < after < timedelta(minutes=61)


def test_a_redirect_is_not_followed(web: Web) -> None:
    with serving() as other:
        web.answers = [(307, {"Location": other.url()})]
        assert post(request(web.url())).status == 307
        assert other.requests == []


URLS = [
    "http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://2130706433:{port}/", "http://0x7f000001:{port}/",
    "http://127.1:{port}/", "http://0:{port}/", "http://[::1]:{port}/", "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/", "http://0.0.0.0:{port}/", "http://169.254.169.254/latest/meta-data/",
    "http://10.1.2.3/", "http://[fd00::1]/", "http://[fe80::1]/",
]  # fmt: skip


@pytest.mark.parametrize("url", URLS)
def test_a_private_address_is_refused_however_it_is_spelled(web: Web, url: str) -> None:
    with pytest.raises((Permanent, Temporary), match=r"private|resolved"):
        post(request(url.format(port=web.port), allow_private=False))
    assert web.requests == []


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["169.254.169.254"], ["not an address"]],
    ids=repr,
)
def test_a_name_that_has_a_private_address_among_others_is_refused(web: Web, addresses: list[str]) -> None:
    url = web.url(host="hooks.example.com")
    with pytest.raises(Permanent, match="allow-private"):
        post(request(url, allow_private=False), resolve=lambda _host, _port: addresses)
    assert web.requests == []


def test_a_name_is_resolved_once_so_that_a_second_answer_changes_nothing(web: Web) -> None:
    """DNS rebinding: what was checked is what is connected to."""
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["192.0.2.1"] if len(asked) > 1 else HERE

    url = web.url(host="rebind.example.com")
    assert post(request(url), resolve=rebinding).status == 204
    assert asked == ["rebind.example.com"]
    assert web.requests[0].headers["host"] == f"rebind.example.com:{web.port}"


def test_the_next_address_is_tried_where_one_does_not_answer(web: Web) -> None:
    # Nothing listens on the second loopback address.
    assert post(request(web.url(host="two.example.com")), resolve=lambda *_: ("127.0.0.2", "127.0.0.1")).status == 204


def test_a_name_that_does_not_resolve_waits(web: Web) -> None:
    def broken(_host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror("no such name")

    with pytest.raises(Temporary, match="resolved"):
        post(request(web.url(host="nowhere.example.com")), resolve=broken)


def test_a_resolver_that_hangs_is_not_waited_for(web: Web) -> None:
    go, ended = Event(), Event()

    def hanging(_host: str, _port: int) -> Sequence[str]:
        go.wait(60)
        ended.set()
        return HERE

    with pytest.raises(Temporary):
        post(request(web.url(), timeout=timedelta(seconds=0.3)), resolve=hanging)
    assert not ended.is_set()
    go.set()


def test_nobody_listening_is_temporary() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Temporary, match="cannot be reached"):
        post(request(f"http://127.0.0.1:{port}/"))


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("web"), "hooks.example.com")


def test_tls_is_verified_for_the_name_that_was_asked(certificate: tuple[Path, Path]) -> None:
    with serving(certificate) as web:
        url = web.url(scheme="https", host="hooks.example.com")
        assert post(request(url, ca=certificate[0]), resolve=lambda *_: HERE).status == 204
        assert web.names == ["hooks.example.com"]


def test_a_certificate_for_another_name_is_refused(certificate: tuple[Path, Path]) -> None:
    with serving(certificate) as web:
        url = web.url(scheme="https", host="other.example.com")
        with pytest.raises(Temporary, match="certificate"):
            post(request(url, ca=certificate[0]), resolve=lambda *_: HERE)
        assert web.requests == []


def test_a_certificate_of_nobody_is_refused(certificate: tuple[Path, Path]) -> None:
    with serving(certificate) as web, pytest.raises(Temporary, match="certificate"):
        post(request(web.url(scheme="https", host="hooks.example.com")), resolve=lambda *_: HERE)


def test_a_server_without_tls_is_refused(web: Web) -> None:
    with pytest.raises(Temporary, match="TLS"):
        post(request(web.url(scheme="https")))


# Servers that do what they want


def answer(port: int, seconds: float = 1.0, chunks: Sequence[bytes] = (b"x",)) -> Answer:
    return post(request(f"http://127.0.0.1:{port}/", timeout=timedelta(seconds=seconds), chunks=chunks))


@pytest.mark.parametrize(
    "rubbish",
    [b"", b"\r\n", b"SSH-2.0-x\r\n", b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"\x00" * 1000],
    ids=repr,
)
def test_rubbish_is_temporary(rubbish: bytes) -> None:
    with lying(lambda peer: peer.sendall(rubbish)) as port, pytest.raises(Temporary):
        answer(port)


def test_an_answer_that_drips_ends_at_the_deadline() -> None:
    def drip(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            peer.sendall(b"x")
            time.sleep(0.05)

    with lying(drip) as port, pytest.raises(Temporary, match="too long"):
        answer(port, 0.6)


def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    with lying(silent) as port, pytest.raises(Temporary, match="took too long"):
        answer(port, 0.3)


def test_endless_continues_end() -> None:
    def go_on(peer: socket.socket) -> None:
        while True:
            peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    with lying(go_on) as port, pytest.raises(Temporary):
        answer(port, 60)


def test_an_endless_header_ends() -> None:
    def fill(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            peer.sendall(b"X: " + b"y" * 60000 + b"\r\n")

    with lying(fill) as port, pytest.raises(Temporary, match="too long"):
        answer(port, 60)


def test_a_huge_body_is_not_read() -> None:
    def fill(peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
        while True:
            peer.sendall(b"z" * 65536)

    with lying(fill) as port:
        assert answer(port, 60).status == 200


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "https://", "https:///x", "//example.com/",
        "https://user:pw@example.com/", "https://example.com:0/", "https://example.com:99999/", "https://exa mple.com/",
        "https://example.com/a\r\nX: y", "https://exämple.com/", "https://a%40b/", "https://example.com/\x7f", "",
    ],
    ids=repr,
)  # fmt: skip
def test_a_url_that_is_none_of_ours_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        host_of(url)
    with pytest.raises(Permanent):
        post(request(url))
