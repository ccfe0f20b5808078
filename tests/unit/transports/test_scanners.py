"""Scanners that are scripted: away, slow, answering rubbish. The real ones are in tests/wire."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from postroom import steps, testing
from postroom.errors import Temporary
from postroom.pipeline.outcome import Fact, Note, Outcome
from postroom.pipeline.tools import Scanner, Scanners
from postroom.pipeline.view import Facts, Spam, Virus
from postroom.transports.scanner import Line, Target

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR" + rb"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
URLS = {"rspamd": "http://127.0.0.1:{}", "spamd": "tcp://127.0.0.1:{}", "clamd": "tcp://127.0.0.1:{}"}
Answer = Callable[[socket.socket], None]


@contextmanager
def server(answer: Answer, unix: Path | None = None) -> Iterator[int | Path]:
    """Gives each client to `answer`, one after the other; where it listens."""
    listener = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
    listener.bind(str(unix) if unix else ("127.0.0.1", 0))
    listener.listen()

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.settimeout(10)
                try:
                    answer(client)
                except OSError:
                    pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield unix or listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def asked(
    name: str, url: str, raw: bytes | None = None, seconds: float = 5, given: Facts | None = None, **options: Any
) -> list[Outcome]:
    scanner = Scanner(url=url, timeout=timedelta(seconds=seconds), largest=1_000_000)
    tools = testing.tools(scanners=Scanners(**{name: scanner}), given=given)
    step = steps.step("virus" if name == "clamd" else "spam").model_validate({"scanner": name, **options})
    return [*step.plan(testing.view(raw), tools)]


def facts(outcomes: list[Outcome]) -> Spam | Virus | None:
    found = [one.facts for one in outcomes if isinstance(one, Fact)]
    return (found[0].spam or found[0].virus) if found else None


def read_request(client: socket.socket, end: bytes = b"\r\n\r\n") -> bytes:
    """The head of a request, and as much of its content as it says."""
    got = b""
    while end not in got and (piece := client.recv(65536)):
        got += piece
    head, _, body = got.partition(end)
    told = [line.partition(b":")[2] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < int(told[0]):
        body += client.recv(65536)
    return head + end + body


def http(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


def replying(reply: bytes) -> Answer:
    def answer(client: socket.socket) -> None:
        read_request(client)
        client.sendall(reply)

    return answer


class Clamd:
    """What clamd does with INSTREAM: finds EICAR, and hangs up on what is too large."""

    def __init__(self, most: int = 1 << 30) -> None:
        self.most = most
        self.pieces: list[int] = []

    def __call__(self, client: socket.socket) -> None:
        file = client.makefile("rwb")
        assert file.read(10) == b"zINSTREAM\0"
        content = b""
        while size := int.from_bytes(file.read(4), "big"):
            self.pieces.append(size)
            content += file.read(size)
            if len(content) > self.most:
                file.write(b"INSTREAM size limit exceeded. ERROR\0")
                file.flush()
                return
        file.write(b"stream: Eicar-Test-Signature FOUND\0" if EICAR in content else b"stream: OK\0")
        file.flush()


# Answers that are understood.


def test_what_rspamd_answers_is_read_and_it_is_told_the_envelope():
    seen: list[bytes] = []

    def answer(client: socket.socket) -> None:
        seen.append(read_request(client))
        told = {"score": 16.5, "action": "reject", "symbols": {"BAYES_SPAM": {"score": 5}, "bad\nname": {}}}
        client.sendall(http(json.dumps(told).encode()))

    with server(answer) as port:
        spam = facts(asked("rspamd", f"http://127.0.0.1:{port}"))
    assert spam == Spam(score=16.5, verdict="spam", symbols=("BAYES_SPAM",))
    assert seen[0].startswith(b"POST /checkv2 HTTP/1.1\r\n")
    assert b"\r\nFrom: ann@example.org\r\nRcpt: bob@example.com\r\n" in seen[0]
    assert seen[0].endswith(testing.message())


@pytest.mark.parametrize("name", ["rspamd", "spamd"])
def test_of_symbols_without_end_some_are_taken_and_none_that_is_no_word(name):
    symbols = [f"SYMBOL_{number}" for number in range(30_000)] + ["a b", "c\r\nBcc: x", "ü", "x" * 5000, ""]
    if name == "rspamd":
        told = {"score": 16.5, "action": "reject", "symbols": {one: {} for one in symbols}}
        reply = http(json.dumps(told, ensure_ascii=False).encode())
    else:
        reply = b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; 16.5 / 5.0\r\n\r\n" + ",".join(symbols).encode()
    with server(replying(reply)) as port:
        spam = facts(asked(name, URLS[name].format(port)))
    assert isinstance(spam, Spam)
    assert len(spam.symbols) == 200
    assert all(symbol.startswith("SYMBOL_") for symbol in spam.symbols)


def test_what_spamd_answers_is_read():
    reply = b"SPAMD/1.1 0 EX_OK\r\nContent-length: 17\r\nSpam: True ; 1000.1 / 5.0\r\n\r\nGTUBE,NO_RELAYS\r\n"
    with server(replying(reply)) as port:
        spam = facts(asked("spamd", f"tcp://127.0.0.1:{port}"))
    assert spam == Spam(score=1000.1, verdict="spam", symbols=("GTUBE", "NO_RELAYS"))


@pytest.mark.parametrize("unix", [False, True], ids=["TCP", "UNIX socket"])
def test_clamd_finds_eicar_in_a_message_that_it_gets_in_pieces(tmp_path, unix):
    clamd = Clamd()
    infected = testing.message(text=EICAR.decode() + "\n" + "x" * 70 * 5000)
    with server(clamd, tmp_path / "clamd" if unix else None) as where:
        url = f"unix:{where}" if unix else f"tcp://127.0.0.1:{where}"
        assert facts(asked("clamd", url, infected)) == Virus(found=True, names=("Eicar-Test-Signature",))
        assert max(clamd.pieces) <= 65536 < sum(clamd.pieces)
        assert facts(asked("clamd", url)) == Virus(found=False)


# `later` and `pass`.

RUBBISH = {
    "rspamd": [
        b"", b"\0\xff" * 1000, http(b"not JSON"), http(b"[]"), http(b"{}"), http(b'{"score": "9", "action": "x"}'),
        http(b'{"score": 1e999, "action": "reject"}'), http(b'{"score": 1, "action": 2}'), http(b"{}", "500 No"),
        http(b"[" * 100_000), b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}", http(b'{"score": 1, "action": "x"}' + b" " * (2 << 20)),
    ],
    "spamd": [
        b"", b"\0\xff" * 1000, b"SPAMD/1.1 76 EX_PROTOCOL\r\n\r\n", b"SPAMD/1.1 0 EX_OK\r\n\r\n", b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; nan / 5\r\n\r\n",
        b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; 9 / 5", b"SPAMD/1.1 0 EX_OK\r\n" + b"x" * (2 << 20),
    ],
}  # fmt: skip
CASES = [(name, reply) for name, replies in RUBBISH.items() for reply in replies]


@pytest.mark.parametrize(("name", "reply"), CASES, ids=[f"{name} {reply[:40]!r} {len(reply)}" for name, reply in CASES])
def test_rubbish_is_no_answer(name, reply):
    with server(replying(reply)) as port:
        unanswered(name, URLS[name].format(port))


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"\0\0\0",
        b"stream: ERROR\0",
        b"stream: \xff FOUND\0",
        b"OK\0",
        b"stream: OK\0stream: x FOUND\0",
        b"x" * (2 << 20),
    ],
    ids=repr,
)
def test_rubbish_of_clamd_is_no_answer(reply):
    reply = reply[:100] if len(reply) < 101 else reply

    def answer(client: socket.socket) -> None:
        client.recv(1 << 20)
        client.sendall(reply)
        client.shutdown(socket.SHUT_WR)
        while client.recv(1 << 16):
            pass

    with server(answer) as port:
        unanswered("clamd", f"tcp://127.0.0.1:{port}")


@pytest.mark.parametrize("name", URLS)
def test_a_scanner_that_is_away_makes_the_message_wait_or_pass(name, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        unanswered(name, URLS[name].format(closed.getsockname()[1]))
    unanswered(name, f"unix:{tmp_path}/nothing")


@pytest.mark.parametrize("name", URLS)
def test_a_scanner_that_never_answers_is_waited_for_no_longer_than_was_said(name):
    over = threading.Event()
    with server(lambda client: void(over.wait(60))) as port:
        unanswered(name, URLS[name].format(port), seconds=0.3)
        over.set()


@pytest.mark.parametrize("name", URLS)
def test_a_scanner_that_answers_drop_by_drop_does_not_stretch_the_time(name):
    over = threading.Event()

    def drip(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nX: " if name == "rspamd" else b"x")
        while not over.wait(0.05):
            client.sendall(b"x")

    with server(drip) as port:
        unanswered(name, URLS[name].format(port), seconds=0.5)
        over.set()


def test_a_name_that_is_looked_up_for_ever_does_not_stretch_the_time():
    over = threading.Event()

    def look_up(host: str, port: int) -> list[Target]:
        over.wait(60)
        return []

    with pytest.raises(TimeoutError):
        Line.to("tcp://scanner.example:783", timedelta(seconds=0.2), look_up)
    assert not over.is_set()
    over.set()


def test_of_a_host_with_several_addresses_the_first_that_takes_the_connection_is_asked():
    with socket.socket() as closed, server(lambda client: void(client.recv(1))) as port:
        closed.bind(("127.0.0.1", 0))
        found = [(socket.AF_INET, closed.getsockname()), (socket.AF_INET, ("127.0.0.1", port))]
        with Line.to("tcp://scanner.example:783", timedelta(seconds=5), lambda host, asked: found) as line:
            assert line.getpeername()[1] == port


def test_a_name_that_nobody_knows_is_a_scanner_that_is_away():
    unanswered("spamd", "tcp://scanner.invalid:783")


def test_what_is_too_large_for_clamd_is_not_taken_for_clean():
    with server(Clamd(most=1000)) as port:
        unanswered("clamd", f"tcp://127.0.0.1:{port}", raw=testing.message(text="x\n" * 100_000))


@pytest.mark.parametrize("name", URLS)
def test_a_message_larger_than_the_settings_allow_goes_on_unknown(name):
    outcomes = asked(name, URLS[name].format(1), raw=b"x" * 1_000_001)
    assert [type(one) for one in outcomes] == [Note]


@pytest.mark.parametrize("name", URLS)
def test_a_test_of_a_pipeline_asks_no_scanner(name):
    given = Facts(spam=Spam(score=7), virus=Virus(found=True))
    assert facts(asked(name, "unix:/nothing", given=given)) in (given.spam, given.virus)
    assert facts(asked(name, "unix:/nothing", given=Facts())) is None


def test_a_sender_with_control_characters_does_not_reach_the_head_of_the_request():
    seen: list[bytes] = []

    def answer(client: socket.socket) -> None:
        seen.append(read_request(client))
        client.sendall(http(b'{"score": 0, "action": "no action"}'))

    from postroom.pipeline.view import Envelope
    from postroom.transports import rspamd

    with server(answer) as port:
        view = testing.view(envelope=Envelope(sender="a\r\nX: y@b.example", recipients=("ä@b.example", "c d")))
        told = rspamd.ask(Scanner(url=f"http://127.0.0.1:{port}"), view)
    assert told.score == 0
    assert b"X: y" not in seen[0]
    assert "Rcpt: ä@b.example\r\n".encode() in seen[0]


def unanswered(name: str, url: str, raw: bytes | None = None, seconds: float = 5) -> None:
    with pytest.raises(Temporary, match=name):
        asked(name, url, raw, seconds)
    outcomes = asked(name, url, raw, seconds, **{"on-error": "pass"})
    assert [type(one) for one in outcomes] == [Note]


def void(_: object) -> None:
    """For a function that is to answer nothing."""
