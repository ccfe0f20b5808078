"""Emptying a full mailbox: ten rules, into a Maildir, fsynced: `postroom run` beside fetchmail and getmail with procmail.

    python benchmarks/drain.py --protocol pop3|imap [--small 1000] [--mix 250] [--getmail 200] [--rounds 3]
                               [--queue redis [--workers 2] [--ledger sqlite|postgresql ...]]

Every message is fetched, sorted, delivered and deleted from a private Dovecot; the counts are checked. Postroom runs
already, as a service does, and is given the mailbox with SIGHUP; its time ends when the server's mailbox is empty and
everything lies in its Maildir. The others start anew, which takes them milliseconds. getmail gets fewer messages, since
it hangs now and then (peers/fetchers.py); a round in which it did is not counted.

`--queue redis` adds the same over a private Redis: one `postroom watch` and some `postroom work`, for each ledger named.
CPU is that of our processes, not of Dovecot, Redis or PostgreSQL.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count as numbers
from pathlib import Path

import corpus
import ours
from peers import dovecot, fetchers, packages, rules
from peers.report import Report

USERS = numbers()
MOST_USERS = 500  # workers know all of them from the start
PATIENCE = 300.0
FETCHMAIL, GETMAIL = "fetchmail with procmail", "getmail with procmail"
PEERS = {FETCHMAIL: fetchers.fetchmail, GETMAIL: fetchers.getmail}
FOLDERS = sorted({folder for _, _, folder in rules.RULES})
MAILBOX = (
    '  {user}: {{url: "{protocol}://127.0.0.1:{port}", user: {user}, password: x, tls: "off", start: all, {more}}}\n'
)
IDLE = '  idle: {url: "maildir:idle", pipeline: procmail-style}\n'


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


@dataclass(frozen=True)
class Ours:
    """A running service. IMAP keeps mail on the server, so that its rules say `file` where POP3's say `move`."""

    service: ours.Service
    protocol: str
    port: int
    common: str

    @property
    def target(self) -> Path:
        return self.service.home / "mail"

    def drain(self, user: str, source: Path, messages: int) -> fetchers.Run:
        shutil.rmtree(self.target, ignore_errors=True)
        (self.service.home / "postroom.yaml").write_text(self.common + IDLE + mailbox(user, self.protocol, self.port))
        cpu, start = self.service.cpu(), time.perf_counter()
        self.service.reload()
        while count(source, inbox=True) or count(self.target) < messages:
            self.service.require()
            if time.perf_counter() - start > PATIENCE:
                raise RuntimeError(f"{count(self.target)} of {messages}: {self.service.said()}")
            time.sleep(0.005)
        return fetchers.Run(time.perf_counter() - start, self.service.cpu() - cpu, 0)


def mailbox(user: str, protocol: str, port: int) -> str:
    more = "pipeline: procmail-style, poll: 1h, store: mail"
    if protocol == "imap":
        more = "pipeline: sorted, handled: delete"
    return MAILBOX.format(user=user, protocol=protocol, port=port, more=more)


def filing(target: Path) -> str:
    """The ten rules as a pipeline that files into a Maildir."""
    lines = [
        f'  - {{name: "{number}", when: {{header.{header}: {{contains: "{text}"}}}}, do: {{file: "{target}/.{folder}"}}}}'
        for number, (header, text, folder) in enumerate(rules.RULES)
    ]
    lines.append(f'  - {{name: rest, do: {{file: "{target}"}}}}')
    return "\n".join(["name: sorted", "match: first", "rules:", *lines, ""])


@contextmanager
def postroom(home: Path, protocol: str, port: int, workers: int = 0, ledger: str = "sqlite") -> Iterator[Ours]:
    """In one process, or with so many workers of their own."""
    (home / "pipelines").mkdir(parents=True)
    shutil.copy(ours.ROOT / "pipelines/procmail-style.yaml", home / "pipelines")
    (home / "pipelines/sorted.yaml").write_text(filing(home / "mail"))
    commands: list[list[str | Path]] = [["run"]]
    common = ours.COMMON + "pipelines: pipelines\n"
    with ExitStack() as stack:
        if workers:
            common += stack.enter_context(ours.shared(ledger))
            commands = [["watch"], *(["work", "--config", home / "workers.yaml"] for _ in range(workers))]
        common += "mailboxes:\n"
        (home / "postroom.yaml").write_text(common + IDLE)
        every = "".join(mailbox(f"u{number}", protocol, port) for number in range(MOST_USERS))
        (home / "workers.yaml").write_text(common + IDLE + every)
        service = stack.enter_context(ours.running(home, commands))
        yield Ours(service, protocol, port, common)


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
        user = f"u{next(USERS)}"
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
    parser.add_argument("--queue", choices=["memory", "redis"], default="memory", help="redis: the embedded one, too")
    parser.add_argument("--workers", type=int, default=2, help="processes, over Redis")
    parser.add_argument("--ledger", nargs="+", choices=["sqlite", "postgresql"], default=["sqlite", "postgresql"])
    options = parser.parse_args()
    if not packages.there("dovecot"):
        return
    others = [who for who in PEERS if packages.there(who.split()[0])]
    ledgers = [one for one in options.ledger if one == "sqlite" or packages.there(one)]
    if options.queue != "redis" or not packages.there("redis"):
        ledgers = []
    report = Report()
    with tempfile.TemporaryDirectory(prefix="postroom-bench-") as name, ExitStack() as stack:
        work = Path(name)
        work.chmod(0o755)
        corpora = {}
        for kind, number in (("small", options.small), ("mix", options.mix)):
            corpora[kind] = corpus.write(work / kind, number, small=kind == "small")
            fetchers.own(work / kind, *corpora[kind])
        server = stack.enter_context(dovecot.running(work / "dovecot"))
        port = getattr(server, options.protocol)
        services = {"Postroom": stack.enter_context(postroom(work / "postroom", options.protocol, port))}
        for ledger in ledgers:
            called = f"Postroom, Redis, {options.workers} workers, {ledger}"
            service = postroom(work / ledger, options.protocol, port, options.workers, ledger)
            services[called] = stack.enter_context(service)
        peers = work / "peers"
        peers.mkdir()
        for _ in range(options.rounds):
            for kind, files in corpora.items():
                for who in (*services, *others):
                    some = files[: options.getmail] if who == GETMAIL else files
                    if not some:
                        continue
                    one = services.get(who)
                    target = one.target if one else peers / "mail"

                    def drain(
                        user: str, who: str = who, target: Path = target, some: list[Path] = some
                    ) -> fetchers.Run:
                        if who in services:
                            return services[who].drain(user, server.maildir(user), len(some))
                        return fetchers.timed(PEERS[who](peers, options.protocol, port, user, target), peers)

                    run = measured(who, drain, server, some, target)
                    octets = sum(file.stat().st_size for file in some)
                    report.add(
                        f"{who}, {kind}",
                        rate=len(some) / run.wall,
                        octets=octets / run.wall / 1e6,
                        cpu=run.cpu / len(some) * 1e3,
                    )
    columns = {"rate": ("messages/s", 0), "octets": ("MB/s", 1), "cpu": ("CPU ms/message", 2)}
    bases = {f"{who}, {kind}": f"{FETCHMAIL}, {kind}" for kind in corpora for who in services}
    report.table(columns, ("against fetchmail with procmail", "rate", bases))


if __name__ == "__main__":
    main()
