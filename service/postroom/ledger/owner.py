"""Who holds a lease: a process, named so that others on this machine can tell when it is gone."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Owner:
    """`boot/namespace/pid/start/random`; empty parts where the system does not tell."""

    boot: str
    namespace: str
    pid: int
    start: str
    nonce: str

    @classmethod
    def current(cls) -> Self:
        """This process; every call gives another owner, so that two threads never share a lease."""
        pid = os.getpid()
        return cls(_boot(), _namespace(), pid, _start(pid), secrets.token_hex(6))

    def __str__(self) -> str:
        return f"{self.boot}/{self.namespace}/{self.pid}/{self.start}/{self.nonce}"


def is_gone(text: str) -> bool:
    """Whether that owner's process certainly runs no more.

    Only a process of the same boot and the same process namespace can be judged; a container next door has
    numbers of its own. A number that another process got since is recognised by its start.
    """
    return _runs(text) is False


def runs_beside(text: str) -> bool:
    """Whether that owner's process is another one than this, and certainly runs."""
    return _runs(text) is True and (text.split("/") + [""] * 3)[2] != str(os.getpid())


def _runs(text: str) -> bool | None:
    """None where nobody here can know."""
    boot, namespace, pid, start, _ = (text.split("/") + [""] * 5)[:5]
    if not boot or not start or not pid.isdecimal() or (boot, namespace) != (_boot(), _namespace()):
        return None
    return _start(int(pid)) == start


def _boot() -> str:
    return _read("/proc/sys/kernel/random/boot_id").strip()


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return ""


def _start(pid: int) -> str:
    """The start of the process in clock ticks since boot; empty for one that is gone or only waits to be
    reaped."""
    # The second field is the command in parentheses and may hold anything, so count from the last one.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    if len(fields) < 20 or fields[0] in "ZX":
        return ""
    return fields[19]


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""
