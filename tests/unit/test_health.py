"""The HTTP server for Prometheus and whoever watches the process: its answers, and clients that mean no good."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse

import pytest

from postroom.errors import Temporary
from postroom.health import CLIENTS, Check, Health, Pulse
from postroom.metrics.prometheus import Metrics
from waiting import until

WELL: dict[str, Check] = {"ledger": lambda: None, "queue": lambda: None}


@contextmanager
def served(
    alive: dict[str, Check] | None = None,
    ready: dict[str, Check] | None = None,
    *,
    metrics: Callable[[str], tuple[bytes, str]] | None = None,
    deadline: float = 60,
    patience: float = 60,
) -> Iterator[Health]:
    health = Health(
        "127.0.0.1:0",
        metrics=metrics or Metrics().page,
        alive=WELL if alive is None else alive,
        ready=WELL if ready is None else ready,
        deadline=deadline,
        patience=patience,
    )
    health.start()
    try:
        yield health
    finally:
        health.stop()


def place(health: Health) -> tuple[str, int]:
    host, _, port = health.address.rpartition(":")
    return host, int(port)


def connect(health: Health) -> socket.socket:
    return socket.create_connection(place(health), 60)


def get(health: Health, path: str, method: str = "GET", accept: str = "*/*") -> tuple[HTTPResponse, str]:
    with closing(HTTPConnection(*place(health), timeout=60)) as connection:
        connection.request(method, path, headers={"Accept": accept})
        response = connection.getresponse()
        return response, response.read().decode()


def raw(health: Health, sent: bytes) -> bytes:
    """Everything that comes back for these octets."""
    with connect(health) as client:
        client.sendall(sent)
        return client.makefile("rb").read()


def test_metrics_are_served_on_a_port_that_was_free() -> None:
    with served() as health:
        assert place(health)[1] > 0
        response, body = get(health, "/metrics")
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/plain")
    assert "postroom_reload_ok 1.0" in body


def test_metrics_come_in_the_format_that_was_asked_for() -> None:
    with served() as health:
        response, body = get(health, "/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert response.headers["Content-Type"].startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n")


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_each_check_has_its_line(path: str) -> None:
    with served() as health:
        response, body = get(health, path)
    assert (response.status, body) == (200, "ledger: ok\nqueue: ok\n")


def broken() -> str | None:
    raise Temporary("the queue redis://127.0.0.1/0 cannot be reached")


def buggy() -> str | None:
    raise ValueError("secret of somebody")


def test_what_is_wrong_is_said_in_a_sentence_and_a_status() -> None:
    checks: dict[str, Check] = {"ledger": lambda: None, "lease": lambda: "support is another's", "queue": broken}
    with served(ready=checks) as health:
        response, body = get(health, "/readyz")
        assert get(health, "/healthz")[0].status == 200
    assert response.status == 503
    assert body == ("ledger: ok\nlease: support is another's\nqueue: the queue redis://127.0.0.1/0 cannot be reached\n")


def test_a_check_that_breaks_is_not_well_and_shows_nothing_of_its_inside() -> None:
    with served(alive={"odd": buggy}) as health:
        response, body = get(health, "/healthz")
    assert (response.status, body) == (503, "odd: cannot be asked: ValueError\n")


def test_checks_that_hang_are_not_waited_for_and_the_others_are_told() -> None:
    end = threading.Event()

    def hang() -> str | None:
        end.wait(60)
        return None

    checks: dict[str, Check] = {"ledger": hang, "queue": hang, "spool": lambda: None}
    with served(ready=checks, patience=1) as health:
        response, body = get(health, "/readyz")
        end.set()
    assert response.status == 503
    assert body == "ledger: no answer in time\nqueue: no answer in time\nspool: ok\n"


def test_a_page_that_cannot_be_made_is_an_error_without_a_trace() -> None:
    def fail(_: str) -> tuple[bytes, str]:
        raise ValueError("secret of somebody")

    with served(metrics=fail) as health:
        response, body = get(health, "/metrics")
        assert get(health, "/healthz")[0].status == 200
    assert (response.status, body) == (500, "Internal Server Error\n")


def test_head_has_no_body_but_its_length() -> None:
    with served() as health:
        response, body = get(health, "/healthz", method="HEAD")
    assert (response.status, body, response.headers["Content-Length"]) == (200, "", "21")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", b"405"),
        (b"GET /etc/passwd HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /metrics/../healthz HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /healthz?x=1 HTTP/1.0\r\n\r\n", b"200"),
        (b"GET / HTTP/1.1\r\n\r\n", b"200"),
        (b"GET /healthz\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
        (b"\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 100_000, b"431"),
    ],
    ids=["post", "unknown", "dots", "query", "root", "no version", "tls", "nothing", "too long"],
)
def test_odd_requests_get_their_status(sent: bytes, status: bytes) -> None:
    with served() as health, connect(health) as client:
        client.sendall(sent)
        assert client.recv(12) == b"HTTP/1.1 " + status


def test_a_client_that_is_silent_or_slow_is_let_go() -> None:
    with served(deadline=0.3) as health:
        assert raw(health, b"") == b""
        assert raw(health, b"GET /healthz HT") == b""


def test_too_many_clients_are_told_so_and_the_next_one_is_served() -> None:
    with served() as health:
        clients = [connect(health) for _ in range(CLIENTS)]
        # The server may not have seen them all yet.
        until(lambda: get(health, "/")[0].status == 503)
        for client in clients:
            client.close()
        until(lambda: get(health, "/")[0].status == 200)


def test_a_port_that_is_taken_is_a_sentence() -> None:
    with served() as health:
        taken = Health(health.address, metrics=Metrics().page, alive=WELL, ready=WELL)
        with pytest.raises(Temporary, match=r"metrics cannot listen on 127\.0\.0\.1:"):
            taken.start()


def test_nobody_answers_once_it_has_stopped() -> None:
    with served() as health:
        at = place(health)
        waiting = connect(health)
    with waiting, pytest.raises(OSError):
        socket.create_connection(at, 5).close()


def test_an_event_loop_that_does_not_beat_is_stuck() -> None:
    now = [0.0]
    pulse = Pulse(most=10, clock=lambda: now[0])
    now[0] = 10.0
    assert pulse.check() is None
    now[0] = 12.0
    assert pulse.check() == "the event loop has been stuck for 12 s"
    pulse.beat()
    assert pulse.check() is None
