"""What reaches the service manager, over real datagram sockets."""

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from postroom.systemd import Manager


@pytest.fixture(params=["file", "abstract"])
def manager_socket(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """What NOTIFY_SOCKET says, and what listens there."""
    name = f"@postroom-test-{os.getpid()}-{time.monotonic_ns()}" if request.param == "abstract" else str(tmp_path / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0", 1) if request.param == "abstract" else name)
        listening.settimeout(60)
        yield name, listening


def test_every_state_is_told_in_the_words_of_sd_notify(manager_socket: tuple[str, socket.socket]) -> None:
    name, listening = manager_socket
    manager = Manager({"NOTIFY_SOCKET": name})
    manager.ready("watching 3 mailboxes")
    manager.status("1 dead letter\nREADY=1")
    manager.alive()
    manager.stopping()
    told = [listening.recv(4096).decode() for _ in range(4)]
    assert told == [
        "READY=1\nSTATUS=watching 3 mailboxes",
        "STATUS=1 dead letter READY=1",
        "WATCHDOG=1",
        "STOPPING=1",
    ]


def test_a_reload_says_when_it_began(manager_socket: tuple[str, socket.socket]) -> None:
    name, listening = manager_socket
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Manager({"NOTIFY_SOCKET": name}).reloading()
    first, second = listening.recv(4096).decode().split("\n")
    assert first == "RELOADING=1"
    assert before <= int(second.removeprefix("MONOTONIC_USEC=")) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_a_status_that_is_too_long_for_a_line_is_cut(manager_socket: tuple[str, socket.socket]) -> None:
    name, listening = manager_socket
    Manager({"NOTIFY_SOCKET": name}).status("x" * 100_000)
    assert len(listening.recv(65536)) < 500


def test_signs_of_life_come_again_and_again_from_the_event_loop(manager_socket: tuple[str, socket.socket]) -> None:
    name, listening = manager_socket
    manager = Manager({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000", "WATCHDOG_PID": str(os.getpid())})

    async def live() -> list[bytes]:
        living = asyncio.create_task(manager.keep_alive())
        heard = [await asyncio.to_thread(listening.recv, 4096) for _ in range(3)]
        living.cancel()
        return heard

    assert asyncio.run(live()) == [b"WATCHDOG=1"] * 3


def test_the_beat_is_half_of_what_systemd_waits_for() -> None:
    assert Manager({"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000"}).beat == 15


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WATCHDOG_USEC": "30000000"},
        {"NOTIFY_SOCKET": "/run/n"},
        {"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "0"},
        {"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "soon"},
        {"NOTIFY_SOCKET": "/run/n", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
        {"NOTIFY_SOCKET": "vsock:2:1234", "WATCHDOG_USEC": "30000000"},
    ],
    ids=["nothing", "no socket", "no watchdog", "off", "nonsense", "another process", "virtual machine"],
)
def test_there_is_no_beat_where_nobody_waits_for_one(environment: dict[str, str]) -> None:
    manager = Manager(environment, pid=17)
    assert manager.beat is None
    asyncio.run(manager.keep_alive())


def test_without_systemd_or_with_one_that_is_gone_nothing_happens(tmp_path: Path) -> None:
    for manager in (Manager({}), Manager({"NOTIFY_SOCKET": str(tmp_path / "gone")})):
        manager.ready()
        manager.reloading()
        manager.stopping("bye")
