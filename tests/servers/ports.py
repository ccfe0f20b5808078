"""Ports of 127.0.0.1 for servers that cannot choose one themselves.

A port that the kernel gives away may be gone before its server binds it: any connection of this machine can get it, and
whoever asks again and again whether the server is up can meet himself there. These lie where the kernel takes none from,
and each process has a block of its own.
"""

import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import cycle
from pathlib import Path

_BLOCK = 200
_GIVEN = Path("/proc/sys/net/ipv4/ip_local_port_range")
_GUARDS: list[socket.socket] = []


def free_port() -> int:
    """One that nobody listens on, and that nobody else gets."""
    for port in _ports():
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("the ports go round")


@cache
def _ports() -> Iterator[int]:
    """Round and round a block of which this process holds the first port."""
    blocks = _blocks()
    random.shuffle(blocks)
    for first in blocks:
        guard = socket.socket()
        try:
            guard.bind(("127.0.0.1", first))
        except OSError:
            guard.close()
        else:
            _GUARDS.append(guard)
            return cycle(range(first + 1, first + _BLOCK))
    raise OSError("no ports are left for tests")


def _blocks() -> list[int]:
    """The first ports of all blocks outside of the kernel's range; of all there are where that leaves none."""
    low, high = map(int, _GIVEN.read_text().split()) if _GIVEN.exists() else (32768, 60999)
    every = range(10_000, 65_536 - _BLOCK, _BLOCK)
    return [first for first in every if first + _BLOCK <= low or first > high] or list(every)
