"""Mail in by LMTP, ten rules, a Maildir, fsynced: `postroom run` beside Dovecot LMTP with Sieve.

    python benchmarks/lmtp.py [--small 2000] [--mix 500] [--rounds 3] [--users 1]

Both run at once, and are loaded in turn. `acknowledged`: messages a second until the last 250, which comes after the
commit. `delivered`: until the last lies in its Maildir; with Dovecot that is the same.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import corpus
from peers import dovecot, packages
from peers.report import Report

ROOT = Path(__file__).resolve().parent.parent
LOAD = ROOT / "benchmarks/peers/load.py"
SETTINGS = """\
state: state
pipelines: {pipelines}
logs: {{level: warning}}
metrics: {{listen: none}}
spool: {{min-free: 0}}
mailboxes:
  local:
    url: {url}
    pipeline: procmail-style
    recipients: [{{to: "*", store: "mail/{{{{ recipient.local }}}}"}}]
"""


@dataclass
class Server:
    """`mail`: the directory of its Maildirs, one a user."""

    port: int
    mail: Path
    process: int = 0

    def delivered(self) -> int:
        return sum(
            len(os.listdir(folder))
            for kind in ("new", "cur")
            for folder in self.mail.glob(f"**/{kind}")
            if folder.is_dir()
        )

    def cpu(self) -> float:
        """Seconds of its process."""
        if not self.process:
            return 0.0
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def postroom(home: Path, url: str = "") -> Iterator[Server]:
    """The service with one listener, on a free port where no URL is given."""
    home.mkdir()
    [port] = dovecot.free_ports(1)
    url = url or f"lmtp://127.0.0.1:{port}"
    (home / "postroom.yaml").write_text(SETTINGS.format(pipelines=ROOT / "pipelines", url=url))
    command = [sys.executable, "-m", "postroom", "run", "--config", home / "postroom.yaml"]
    process = subprocess.Popen(command, cwd=home, stderr=(home / "log").open("wb"))
    try:
        await_listener(url, process)
        yield Server(port, home / "mail", process.pid)
    finally:
        process.terminate()
        process.wait(60)


def await_listener(url: str, process: subprocess.Popen[bytes]) -> None:
    scheme, _, rest = url.partition(":")
    if scheme == "lmtp":
        dovecot.await_port(int(rest.rpartition(":")[2]), process)
        return
    end = time.monotonic() + 60
    while not Path(rest).exists():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError("the service did not start")
        time.sleep(0.02)


def measure(report: Report, case: str, server: Server, directory: Path, connections: int, users: int) -> None:
    before, cpu, count = server.delivered(), server.cpu(), len(os.listdir(directory))
    command = [
        sys.executable,
        LOAD,
        "--port",
        str(server.port),
        "--directory",
        directory,
        "--connections",
        str(connections),
    ]
    command += [word for number in range(users) for word in ("--recipient", f"u{number}")]
    got = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    told = time.perf_counter()
    while server.delivered() - before < count:
        if time.perf_counter() - told > 120:
            raise RuntimeError(f"{server.delivered() - before} of {count} delivered")
        time.sleep(0.005)
    # The load process ends a little after its last reply; what that takes is not counted.
    wall = got["wall"] + (time.perf_counter() - told)
    report.add(
        case,
        acknowledged=got["rate"],
        delivered=count / wall,
        octets=got["octets"] / 1e6,
        p50=got["p50"] * 1e3,
        p99=got["p99"] * 1e3,
        **({"cpu": (server.cpu() - cpu) / count * 1e3} if server.process else {}),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--small", type=int, default=2000, help="messages of about 4 KB in a round")
    parser.add_argument("--mix", type=int, default=500, help="messages of 3 KB to 5 MB in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--users", type=int, default=1, help="mailboxes that they go to")
    options = parser.parse_args()
    beside = packages.there("dovecot")
    report = Report()
    with tempfile.TemporaryDirectory(prefix="postroom-bench-") as name:
        work = Path(name)
        work.chmod(0o755)
        corpora = {"small": options.small, "mix": options.mix}
        for kind, count in corpora.items():
            (work / kind).mkdir()
            for number in range(count):
                (work / kind / f"{number:06}").write_bytes(corpus.message(number, small=kind == "small"))
        for number in range(options.rounds):
            with ExitStack() as stack:
                servers = {"Postroom": stack.enter_context(postroom(work / f"postroom-{number}"))}
                if beside:
                    server = stack.enter_context(dovecot.running(work / f"dovecot-{number}"))
                    servers["Dovecot"] = Server(server.lmtp, server.home / "mail")
                for kind, count in corpora.items():
                    for connections in (1, 8) if count else ():
                        for who, one in sorted(servers.items()):
                            case = f"{who}, {kind}, {connections} connections"
                            measure(report, case, one, work / kind, connections, options.users)
    columns = {
        "acknowledged": ("acknowledged/s", 0),
        "delivered": ("delivered/s", 0),
        "octets": ("MB/s", 1),
        "p50": ("p50 ms", 1),
        "p99": ("p99 ms", 1),
        "cpu": ("CPU ms/message", 2),
    }
    cases = [f"{kind}, {connections} connections" for kind in corpora for connections in (1, 8)]
    report.table(
        columns, ("delivered/s against Dovecot", "delivered", {f"Postroom, {c}": f"Dovecot, {c}" for c in cases})
    )


if __name__ == "__main__":
    main()
