"""Emptying a full mailbox: ten rules, into a Maildir, fsynced: `postroom run` beside fetchmail and getmail with procmail.

    python benchmarks/drain.py --protocol pop3|imap [--small 1000] [--mix 250] [--getmail 200] [--rounds 3]

Every message is fetched, sorted, delivered and deleted from a private Dovecot; the counts are checked. Postroom runs
already, as a service does, and is given the mailbox with SIGHUP; its time ends when the server's mailbox is empty and
everything lies in its Maildir. The others start anew, which takes them milliseconds. getmail gets fewer messages, since
it hangs now and then (peers/fetchers.py); a round in which it did is not counted.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import corpus
from peers import dovecot, fetchers, rules
from peers.report import Report

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 300.0
FOLDERS = sorted({folder for _, _, folder in rules.RULES})
SETTINGS = """\
state: state
pipelines: {pipelines}
logs: {{level: warning}}
metrics: {{listen: none}}
spool: {{min-free: 0}}
mailboxes:
  {user}: {{url: "{protocol}://127.0.0.1:{port}", user: {user}, password: x, tls: "off", start: all, {more}}}
"""


def count(maildir: Path, *, inbox: bool = False) -> int:
    folders = [maildir] if inbox else [maildir, *maildir.glob(".*")]
    return sum(len(os.listdir(f / sub)) for f in folders for sub in ("new", "cur") if (f / sub).is_dir())


def made(maildir: Path) -> Path:
    """An empty Maildir of the peers' user, with all folders of the rules."""
    shutil.rmtree(maildir, ignore_errors=True)
    for folder in (maildir, *(maildir / f".{name}" for name in FOLDERS)):
        for directory in (folder, folder / "tmp", folder / "new", folder / "cur"):
            directory.mkdir(parents=True)
            fetchers.own(directory)
    return maildir


@dataclass
class Ours:
    """A running service. IMAP keeps mail on the server, so that its rules say `file` where POP3's say `move`."""

    home: Path
    protocol: str
    port: int
    process: subprocess.Popen[bytes]

    def cpu(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def drain(self, user: str, target: Path, source: Path, messages: int) -> fetchers.Run:
        shutil.rmtree(target, ignore_errors=True)
        more = "pipeline: procmail-style, poll: 1h, store: mail"
        pipelines = ROOT / "pipelines"
        if self.protocol == "imap":
            more, pipelines = "pipeline: sorted, handled: delete", self.home / "pipelines"
            pipelines.mkdir(exist_ok=True)
            (pipelines / "sorted.yaml").write_text(filing(target))
        text = SETTINGS.format(user=user, protocol=self.protocol, port=self.port, pipelines=pipelines, more=more)
        (self.home / "postroom.yaml").write_text(text)
        cpu, start = self.cpu(), time.perf_counter()
        self.process.send_signal(signal.SIGHUP)
        while count(source, inbox=True) or count(target) < messages:
            if self.process.poll() is not None or time.perf_counter() - start > PATIENCE:
                raise RuntimeError(f"{count(target)} of {messages}: {(self.home / 'log').read_text()[-2000:]}")
            time.sleep(0.005)
        return fetchers.Run(time.perf_counter() - start, self.cpu() - cpu, 0)


def filing(target: Path) -> str:
    """The ten rules as a pipeline that files into a Maildir."""
    lines = [
        f'  - {{name: "{number}", when: {{header.{header}: {{contains: "{text}"}}}}, do: {{file: "{target}/.{folder}"}}}}'
        for number, (header, text, folder) in enumerate(rules.RULES)
    ]
    lines.append(f'  - {{name: rest, do: {{file: "{target}"}}}}')
    return "\n".join(["name: sorted", "match: first", "rules:", *lines, ""])


@contextmanager
def postroom(home: Path, protocol: str, port: int) -> Iterator[Ours]:
    home.mkdir()
    more = f"pipeline: procmail-style, poll: 1h{', store: mail' if protocol == 'pop3' else ''}"
    text = SETTINGS.format(user="first", protocol=protocol, port=port, pipelines=ROOT / "pipelines", more=more)
    (home / "postroom.yaml").write_text(text + '  idle: {url: "maildir:idle", pipeline: procmail-style}\n')
    command = [sys.executable, "-m", "postroom", "run", "--config", home / "postroom.yaml"]
    process = subprocess.Popen(command, cwd=home, stderr=(home / "log").open("wb"))
    try:
        end = time.monotonic() + 60
        while not (home / "idle/new").is_dir():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError((home / "log").read_text())
            time.sleep(0.05)
        yield Ours(home, protocol, port, process)
    finally:
        process.terminate()
        process.wait(60)


def fill(maildir: Path, files: list[Path]) -> None:
    """The same files under further names, all unseen."""
    for directory in (maildir.parent, maildir, *(maildir / sub for sub in ("tmp", "new", "cur"))):
        directory.mkdir(parents=True, exist_ok=True)
        fetchers.own(directory)
    for file in files:
        os.link(file, maildir / "new" / file.name)


def measured(
    name: str, drain: Callable[[str], fetchers.Run], server: dovecot.Dovecot, files: list[Path], target: Path
) -> fetchers.Run:
    """Fill a fresh mailbox and empty it; checks that everything went the whole way."""
    for attempt in range(50):
        user = f"u{time.monotonic_ns()}"
        source = server.maildir(user)
        fill(source, files)
        made(target)
        run = drain(user)
        arrived, left = count(target), count(source, inbox=True)
        shutil.rmtree(source.parent, ignore_errors=True)  # the server may still be closing its files
        if arrived == len(files) and not left:
            return run
        if "getmail" not in name or attempt == 49:
            raise RuntimeError(f"{name}: {arrived} of {len(files)} delivered, {left} left, status {run.status}")
    raise AssertionError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--protocol", choices=["pop3", "imap"], default="pop3")
    parser.add_argument("--small", type=int, default=1000, help="messages of about 4 KB in a round")
    parser.add_argument("--mix", type=int, default=250, help="messages of 3 KB to 5 MB in a round")
    parser.add_argument("--getmail", type=int, default=200, help="messages for getmail")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="postroom-bench-") as name:
        work = Path(name)
        work.chmod(0o755)
        corpora = {}
        for kind, number in (("small", options.small), ("mix", options.mix)):
            corpora[kind] = corpus.write(work / kind, number, small=kind == "small")
            fetchers.own(work / kind, *corpora[kind])
        peers = work / "peers"
        peers.mkdir()
        with (
            dovecot.running(work / "dovecot") as server,
            postroom(work / "postroom", options.protocol, getattr(server, options.protocol)) as ours,
        ):
            port = getattr(server, options.protocol)
            for _ in range(options.rounds):
                for kind, files in corpora.items():
                    for who in ("Postroom", "fetchmail with procmail", "getmail with procmail"):
                        some = files[: options.getmail] if "getmail" in who else files
                        if not some:
                            continue
                        target = ours.home / "mail" if who == "Postroom" else peers / "mail"

                        def drain(
                            user: str, who: str = who, target: Path = target, some: list[Path] = some
                        ) -> fetchers.Run:
                            if who == "Postroom":
                                return ours.drain(user, target, server.maildir(user), len(some))
                            make = fetchers.fetchmail if "fetchmail" in who else fetchers.getmail
                            return fetchers.timed(make(peers, options.protocol, port, user, target), peers)

                        run = measured(who, drain, server, some, target)
                        octets = sum(file.stat().st_size for file in some)
                        report.add(
                            f"{who}, {kind}",
                            rate=len(some) / run.wall,
                            octets=octets / run.wall / 1e6,
                            cpu=run.cpu / len(some) * 1e3,
                        )
    columns = {"rate": ("messages/s", 0), "octets": ("MB/s", 1), "cpu": ("CPU ms/message", 2)}
    bases = {f"Postroom, {kind}": f"fetchmail with procmail, {kind}" for kind in corpora}
    report.table(columns, ("against fetchmail with procmail", "rate", bases))


if __name__ == "__main__":
    main()
