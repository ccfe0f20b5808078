"""The service that is measured, started privately: in one process, or watcher and workers over a private Redis."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from peers import dovecot

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))  # private servers, which tests start as well
BEGIN = 120.0  # seconds
COMMON = """\
state: state
logs: {level: warning}
metrics: {listen: none}
spool: {min-free: 0}
"""


@dataclass(frozen=True)
class Service:
    """Running processes of one service, the one that watches first."""

    home: Path
    processes: Sequence["subprocess.Popen[bytes]"]

    def reload(self) -> None:
        """The watcher reads its settings anew."""
        self.processes[0].send_signal(signal.SIGHUP)

    def require(self) -> None:
        """That it lives."""
        if any(process.poll() is not None for process in self.processes):
            raise RuntimeError(self.said())

    def said(self) -> str:
        """The end of its log."""
        return (self.home / "log").read_text()[-2000:]

    def cpu(self) -> float:
        """Seconds of all its processes."""
        ticks = 0
        for process in self.processes:
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self, field: str = "VmRSS") -> int:
        """KiB of the first process; RssAnon: without files that are mapped, VmHWM: the most so far."""
        lines = Path(f"/proc/{self.processes[0].pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))

    def forget_peak(self) -> None:
        """VmHWM counts from now."""
        Path(f"/proc/{self.processes[0].pid}/clear_refs").write_text("5")


@contextmanager
def running(home: Path, commands: Sequence[Sequence[str | Path]] = (("run",),)) -> Iterator[Service]:
    """One process for each of the commands, with `postroom.yaml` in `home` where it names no other; all are ready."""
    processes, addresses = [], []
    try:
        with (home / "log").open("ab") as log:
            for command in commands:
                addresses.append(f"127.0.0.1:{dovecot.free_ports(1)[0]}")
                words = [*command, "--metrics", addresses[-1]]
                words += [] if "--config" in command else ["--config", home / "postroom.yaml"]
                processes.append(subprocess.Popen([sys.executable, "-m", "postroom", *words], cwd=home, stderr=log))
        service = Service(home, processes)
        for address in addresses:
            _await_ready(address, service)
        yield service
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)


def _await_ready(address: str, service: Service) -> None:
    end = time.monotonic() + BEGIN
    while time.monotonic() < end:
        service.require()
        try:
            urllib.request.urlopen(f"http://{address}/readyz", timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"not ready: {service.said()}")


@contextmanager
def shared(ledger: str) -> Iterator[str]:
    """Settings of a service in several processes: a private Redis, and a ledger of `sqlite` or `postgresql`."""
    from servers import postgresql, redis

    with ExitStack() as stack:
        queue = stack.enter_context(redis.running())
        text = f'queue: {{url: "{queue.url}"}}\nsecrets: {{site: {{command: [echo, bench]}}}}\n'
        if ledger == "postgresql":
            text += f'ledger: {{url: "{stack.enter_context(postgresql.running())()}"}}\n'
        yield text
