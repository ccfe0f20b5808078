"""Connections are shared, bounded, and never let a server that hangs hold up the work for others."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from postroom.errors import Temporary
from postroom.pipeline.outgoing import Mail
from postroom.transports.smtp import pool
from postroom.transports.smtp.allowance import Allowance
from postroom.transports.smtp.terms import Terms
from postroom.transports.smtp.transport import SmtpTransport
from servers.smtp import Smtp
from waiting import until

MAIL = Mail(sender="a@x.example", recipients=("b@y.example",), chunks=(b"A: b\r\n\r\nbody\r\n",))


def transport(server: Smtp, **fields: Any) -> SmtpTransport:
    return SmtpTransport(terms=Terms(host="127.0.0.1", port=server.port, encryption="none", timeout=30.0), **fields)


def test_threads_share_no_more_connections_than_the_server_may_have(server: Smtp) -> None:
    way = transport(server, connections=2)
    with ThreadPoolExecutor(8) as threads:
        for sent in [threads.submit(way.send, MAIL) for _ in range(100)]:
            sent.result()
    assert len(server.received) == 100
    assert server.connections <= 2
    way.close()


def test_nobody_waits_for_a_server_that_hangs_but_the_one_who_tries(server: Smtp) -> None:
    way = transport(server)
    first = tried(way, server)
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(Temporary):
            way.send(MAIL)
    # They share one wait.
    assert time.monotonic() - began < 10 * pool.OPENING
    server.silent.clear()
    first.join()


def tried(way: SmtpTransport, server: Smtp) -> threading.Thread:
    """Somebody who tries the server, which is silent from now on."""
    server.silent.add("greeting")
    thread = threading.Thread(target=_suppressed, args=(way,))
    thread.start()
    until(lambda: server.connections)
    return thread


def _suppressed(way: SmtpTransport) -> None:
    try:
        way.send(MAIL)
    except Temporary:
        pass


def test_a_session_that_comes_up_late_is_there_for_those_who_try_later(server: Smtp) -> None:
    server.silent.add("greeting")
    way = transport(server, patience=0.1)
    with pytest.raises(Temporary, match="slow") as raised:
        way.send(MAIL)
    assert raised.value.after == pool.LATER
    server.silent.clear()
    until(lambda: server.received or _suppressed(way))
    assert server.connections == 1


def test_a_server_that_is_called_beforehand_is_called_once(server: Smtp) -> None:
    server.silent.add("greeting")
    way = transport(server, patience=30)
    assert [way.prepare(), way.prepare()] == [False, False]
    with ThreadPoolExecutor(1) as threads:
        sent = threads.submit(way.send, MAIL)
        until(lambda: server.connections)
        server.silent.clear()
        sent.result()
    assert (server.connections, len(server.received)) == (1, 1)
    assert way.prepare()


def test_of_a_server_that_was_called_in_vain_others_hear(server: Smtp) -> None:
    server.answers["greeting"] = "421 not now"
    way = transport(server, patience=30)
    assert not way.prepare()
    until(way.prepare)  # nobody waits for it any more
    with pytest.raises(Temporary, match=r"left alone for a while.*421 not now"):
        way.send(MAIL)


def test_a_server_that_refuses_at_once_is_told_of_at_once(server: Smtp) -> None:
    server.answers["greeting"] = "421 not now"
    with pytest.raises(Temporary, match="421 not now"):
        transport(server, patience=30).send(MAIL)


def test_what_a_busy_server_cannot_take_is_tried_again_soon(server: Smtp) -> None:
    way = transport(server)
    first = tried(way, server)
    with pytest.raises(Temporary) as raised:
        way.send(MAIL)
    assert raised.value.after == pool.LATER
    server.silent.clear()
    first.join()


def test_tokens_are_taken_in_batches_of_a_second() -> None:
    asked: list[tuple[str, int, int]] = []
    allowance = Allowance("server relay", 300, lambda *args: asked.append(args) or _none())
    for _ in range(11):
        allowance.take()
    assert asked == [("server relay", 5, 300)] * 3


def _none() -> Any:
    from datetime import timedelta

    return timedelta(0)
