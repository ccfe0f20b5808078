"""What systemd is told by sd_notify(3): ready, stopping, reloading, a line of status, and that we are still alive.

Without systemd all of it does nothing. What a service manager does not take is no reason to stop working.
"""

import asyncio
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

LINE = 400  # characters of a status; a datagram is bounded


class Manager:
    """The service manager that started this process, where there is one."""

    def __init__(self, environment: Mapping[str, str] = os.environ, *, pid: int | None = None) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._period = _period(environment, os.getpid() if pid is None else pid) if self._address else None

    @property
    def beat(self) -> float | None:
        """Seconds between two signs of life: half of what systemd waits for (sd_watchdog_enabled(3)); None: it does
        not wait for any."""
        return self._period / 2 if self._period else None

    def ready(self, status: str = "") -> None:
        """Started, or done with reloading."""
        self._tell("READY=1", *_status(status))

    def stopping(self, status: str = "") -> None:
        """Began to end."""
        self._tell("STOPPING=1", *_status(status))

    def reloading(self) -> None:
        """Reads its configuration anew; `ready` follows. The time is wanted by `Type=notify-reload`."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def status(self, text: str) -> None:
        """The line that `systemctl status` shows."""
        self._tell(*_status(text))

    def alive(self) -> None:
        """A sign of life."""
        self._tell("WATCHDOG=1")

    async def keep_alive(self) -> None:
        """Signs of life from this event loop until cancelled. When it is stuck, they end, and systemd starts the
        process anew."""
        while self.beat is not None:
            self.alive()
            await asyncio.sleep(self.beat)

    def _tell(self, *lines: str) -> None:
        if self._address is None or not lines:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
            to.settimeout(1)
            to.sendto("\n".join(lines).encode("utf-8", "replace"), self._address)


def _address(name: str) -> str | None:
    """A path, or `@` and the name of an abstract socket; other kinds are for virtual machines."""
    if name.startswith("@"):
        return "\0" + name[1:]
    return name if name.startswith("/") else None


def _period(environment: Mapping[str, str], pid: int) -> float | None:
    microseconds = environment.get("WATCHDOG_USEC", "")
    ours = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
    return int(microseconds) / 1_000_000 if ours and microseconds.isdecimal() and int(microseconds) else None


def _status(text: str) -> tuple[str, ...]:
    return (f"STATUS={' '.join(text.split())[:LINE]}",) if text else ()
