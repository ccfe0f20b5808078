"""What watching costs: `postroom run` beside a scripted IMAP server in the process that measures.

    python benchmarks/watching.py [--only push apart idle finding large] [--rounds 3] [--mailboxes 1000]

push     Milliseconds on an idle system from the server's push until the message lies in a Maildir, and until the server
         hears of its flag, which is sent when every effect is done and recorded.
apart    The same with `postroom watch` and `postroom work` over a private Redis, with SQLite and PostgreSQL; and CPU of the
         watcher alone in ten idle seconds.
idle     Resident KiB and milliseconds of CPU that one more idle mailbox costs, over TLS, in a service that has 1,000 of
         them in its settings: what it has above one with ten. CPU in ten seconds.
finding  Milliseconds, CPU and octets both ways until ten new messages of 4 KB are found among 1,000 to 100,000 and lie in
         a Maildir: pushed to a connection that idles; and after a new login, counted from its TCP connection.
large    The most memory above idle in which a message of 50 MB is taken from IMAP (in ranges) or LMTP, sorted and filed.
         `resident` includes pages of the file in the spool, which the kernel takes back at will; `own` does not.
"""

import argparse
import asyncio
import os
import random
import resource
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path

import corpus
import ours
from peers import dovecot, imap, load
from peers.report import Report, percentile

PUSHES = 50
FOUND = 10
LARGE = 49_900_000
FEW = 10  # mailboxes of the service that the other is compared with
PIPELINE = """\
name: watched
rules:
  - {{name: junk, when: {{header.X-Spam-Flag: {{contains: "YES"}}}}, do: {{file: "{mail}/.Junk"}}}}
  - {{name: bill, when: {{attachment: {{name: "*invoice*"}}}}, do: {{file: "{mail}/.Invoices"}}}}
  - {{name: rest, do: {rest}}}
"""
ACCOUNT = (
    '  {name}: {{url: "imap://127.0.0.1:{port}", user: u, password: x, tls: "off", pipeline: watched, start: now}}\n'
)
OVER_TLS = '  {name}: {{url: "imaps://127.0.0.1:{port}", user: {name}, password: x, tls-ca: {ca}, pipeline: watched}}\n'
LISTENER = '  local: {{url: "lmtp://127.0.0.1:{port}", pipeline: watched, recipients: [{{to: "*", store: store}}]}}\n'


@contextmanager
def service(home: Path, mailboxes: str, *, flags: bool = False, line: str = "") -> Iterator[ours.Service]:
    """With rules that look at header and attachments and file into `mail`. `line`: settings of a queue that watcher and
    worker share; empty: they are one process."""
    (home / "pipelines").mkdir(parents=True)
    mail = home / "mail"
    rest = f'[{{file: "{mail}"}}, {{flag: \\Seen}}]' if flags else f'[{{file: "{mail}"}}, discard]'
    (home / "pipelines/watched.yaml").write_text(PIPELINE.format(mail=mail, rest=rest))
    (home / "postroom.yaml").write_text(f"{ours.COMMON}{line}pipelines: pipelines\nmailboxes:\n{mailboxes}")
    with ours.running(home, [["watch"], ["work"]] if line else [["run"]]) as running:
        yield running


@cache
def small(uid: int) -> bytes:
    """A message that no rule but the last applies to."""
    head = f"From: a@x.example\r\nTo: b@y.example\r\nSubject: {uid}\r\nMessage-ID: <{uid}@x.example>\r\n\r\n"
    return head.encode() + b"All work and no play makes Jack a dull boy.\r\n" * 88


def filed(home: Path) -> int:
    new = home / "mail/new"
    return len(os.listdir(new)) if new.is_dir() else 0


async def until(holds: Callable[[], bool], seconds: float = 120.0, pause: float = 0.001) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(pause)


@asynccontextmanager
async def watched(
    home: Path, messages: int, *, flags: bool = False, line: str = ""
) -> AsyncIterator[tuple[imap.Server, ours.Service]]:
    """One mailbox of so many messages, whose watcher idles; it has met one new message, so that all is loaded."""
    async with imap.running(imap.Folder(messages, small)) as server:
        with service(home, ACCOUNT.format(name="one", port=server.port), flags=flags, line=line) as running:
            await server.until(lambda: bool(server.idling))
            server.push()
            await until(lambda: filed(home) == 1)
            await asyncio.sleep(1)
            yield server, running


# The parts.


async def push(report: Report, home: Path, options: argparse.Namespace) -> None:
    async with watched(home, 10, flags=True) as (server, running):
        for _ in range(options.rounds):
            report.add("push", **await _pushes(server, running))


async def apart(report: Report, home: Path, options: argparse.Namespace) -> None:
    for ledger in ("sqlite", "postgresql"):
        with ours.shared(ledger) as line:
            async with watched(home / ledger, 10, flags=True, line=line) as (server, running):
                watcher = ours.Service(running.home, running.processes[:1])
                for _ in range(options.rounds):
                    found = await _pushes(server, running)
                    await asyncio.sleep(3)
                    cpu = watcher.cpu()
                    await asyncio.sleep(options.seconds)
                    report.add(ledger, **found, idle=(watcher.cpu() - cpu) * 1e4 / options.seconds)


async def _pushes(server: imap.Server, running: ours.Service) -> dict[str, float]:
    rng = random.Random(1)
    told: list[float] = []
    server.heard = lambda _: told.append(time.perf_counter())
    arrivals, ends, cpu = [], [], running.cpu()
    for _ in range(PUSHES):
        await server.until(lambda: bool(server.idling))
        await asyncio.sleep(rng.uniform(0.1, 0.3))
        before, start = filed(running.home), time.perf_counter()
        told.clear()
        server.push()
        await until(lambda before=before: filed(running.home) > before)
        arrivals.append(time.perf_counter() - start)
        await until(lambda: bool(told))
        ends.append(told[0] - start)
    return {
        "filed50": percentile(arrivals, 0.5) * 1e3,
        "filed99": percentile(arrivals, 0.99) * 1e3,
        "done50": percentile(ends, 0.5) * 1e3,
        "done99": percentile(ends, 0.99) * 1e3,
        "cpu": (running.cpu() - cpu) / PUSHES * 1e3,
    }


async def idle(report: Report, home: Path, options: argparse.Namespace) -> None:
    from servers.authority import self_signed

    home.mkdir()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*self_signed(home, "localhost", "IP:127.0.0.1"))
    base = await _idle(home / "few", FEW, context, options.seconds)
    for number in range(options.rounds):
        many = await _idle(home / f"many{number}", options.mailboxes, context, options.seconds)
        more = options.mailboxes - FEW
        report.add(
            f"{options.mailboxes} mailboxes",
            memory=(many["memory"] - base["memory"]) / more,
            cpu=many["cpu"] * 1e3,
            each=(many["cpu"] - base["cpu"]) / more * 1e3,
            begun=many["begun"],
            spent=many["spent"],
        )


async def _idle(home: Path, mailboxes: int, context: ssl.SSLContext, seconds: float) -> dict[str, float]:
    async with imap.running(imap.Folder(10, small), context) as server:
        accounts = (
            OVER_TLS.format(name=f"m{n}", port=server.port, ca=home.parent / "cert.pem") for n in range(mailboxes)
        )
        start = time.perf_counter()
        with service(home, "".join(accounts)) as running:
            await server.until(lambda: len(server.idling) == mailboxes, 300)
            begun, spent = time.perf_counter() - start, running.cpu()
            await asyncio.sleep(5)
            cpu = running.cpu()
            await asyncio.sleep(seconds)
            cpu = (running.cpu() - cpu) * 10 / seconds
            return {"memory": running.memory(), "cpu": cpu, "begun": begun, "spent": spent}


async def finding(report: Report, home: Path, options: argparse.Namespace) -> None:
    for messages in (1_000, 10_000, 100_000):
        async with watched(home / str(messages), messages) as (server, running):
            for way in ("pushed", "new login") * options.rounds:
                await server.until(lambda: bool(server.idling))
                await asyncio.sleep(0.2)
                before, octets, cpu = filed(running.home), server.received + server.sent, running.cpu()
                start = time.perf_counter()
                if way == "pushed":
                    server.push(FOUND)
                else:
                    start = await _come_back(server)
                await until(lambda before=before: filed(running.home) == before + FOUND)
                report.add(
                    f"{way}, {messages}",
                    time=(time.perf_counter() - start) * 1e3,
                    cpu=(running.cpu() - cpu) * 1e3,
                    octets=server.received + server.sent - octets,
                )


async def _come_back(server: imap.Server) -> float:
    """Ten messages come while the connection is down; answers when it is back."""
    before = server.accepted
    server.drop()
    server.push(FOUND)
    await until(lambda: server.accepted > before)
    return time.perf_counter()


async def large(report: Report, home: Path, options: argparse.Namespace) -> None:
    raw = corpus.sized(int(LARGE * 0.986)).replace(b"\n", b"\r\n")
    folder = imap.Folder(0, lambda uid: raw if uid > 1 else small(uid))
    [port] = dovecot.free_ports(1)

    def sent(message: bytes) -> asyncio.Task[None]:
        return asyncio.create_task(load.connection(port, "u", [load.wire(message)], []))

    async with imap.running(folder) as server:
        mailboxes = ACCOUNT.format(name="one", port=server.port) + LISTENER.format(port=port)
        with service(home, mailboxes) as running:
            await server.until(lambda: bool(server.idling))
            await _peak(running, server.push)
            await _peak(running, lambda: sent(small(0)))
            for _ in range(options.rounds):
                report.add("IMAP", **await _peak(running, server.push))
                report.add("LMTP", **await _peak(running, lambda: sent(raw)))


async def _peak(running: ours.Service, begin: Callable[[], object]) -> dict[str, float]:
    """MB above idle while one message goes through."""
    await asyncio.sleep(1)
    running.forget_peak()
    resident, own, before = running.memory(), running.memory("RssAnon"), filed(running.home)
    start, cpu, most = time.perf_counter(), running.cpu(), [own]

    def done() -> bool:
        most.append(running.memory("RssAnon"))
        return filed(running.home) > before

    begun = begin()
    await until(done, pause=0.002)
    end = time.perf_counter()
    if isinstance(begun, asyncio.Task):
        await begun
    await asyncio.sleep(0.5)
    return {
        "own": (max(most) - own) * 1.024e-3,
        "resident": (running.memory("VmHWM") - resident) * 1.024e-3,
        "time": end - start,
        "cpu": running.cpu() - cpu,
    }


Columns = dict[str, tuple[str, int]]
PUSHED: Columns = {
    "filed50": ("filed p50 ms", 1),
    "filed99": ("filed p99 ms", 1),
    "done50": ("done p50 ms", 1),
    "done99": ("done p99 ms", 1),
    "cpu": ("CPU ms/push", 1),
}
PARTS: dict[str, tuple[Callable[[Report, Path, argparse.Namespace], Awaitable[None]], Columns]] = {
    "push": (push, PUSHED),
    "apart": (apart, PUSHED | {"idle": ("idle watcher, CPU ms in 10 s", 1)}),
    "idle": (
        idle,
        {
            "memory": ("KiB/mailbox", 1),
            "cpu": ("CPU ms in 10 s, all", 0),
            "each": ("CPU ms in 10 s, each", 2),
            "begun": ("s until all idle", 1),
            "spent": ("CPU s until then", 1),
        },
    ),
    "finding": (finding, {"time": ("ms", 1), "cpu": ("CPU ms", 0), "octets": ("octets", 0)}),
    "large": (large, {"own": ("own MB", 1), "resident": ("resident MB", 1), "time": ("s", 2), "cpu": ("CPU s", 2)}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mailboxes", type=int, default=1000, help="of `idle`")
    parser.add_argument("--seconds", type=float, default=30, help="that `idle` looks on")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # handed down to the service
    for name in options.only:
        part, columns = PARTS[name]
        report = Report()
        with tempfile.TemporaryDirectory(prefix="postroom-bench-") as home:
            asyncio.run(part(report, Path(home) / name, options))
        bases = {f"{way}, {n}": f"{way}, 1000" for way in ("pushed", "new login") for n in (10_000, 100_000)}
        report.table(columns, ("time against 1,000", "time", bases) if name == "finding" else None)
        print()


if __name__ == "__main__":
    main()
