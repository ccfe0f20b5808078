"""Messages a second to one server, beside smtplib with a connection that is used again; and ten servers, one of which hangs.

    python benchmarks/forward.py [--messages 2000] [--rounds 3] [--threads 4]

The server is Postfix's smtp-sink. `transport`: our sessions alone, one thread. `service`: claimed from the ledger, planned,
recorded as begun, sent, remembered and recorded as done, every step of it fsynced, by so many threads of one process,
or by two worker processes (as `postroom work` twice) on one ledger.
"""

import argparse
import multiprocessing
import smtplib
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from peers.report import Report
from postroom.app import home, make_tools, open_ledger, open_spool
from postroom.ledger import Arrival, Batch, Ledger, Query, State
from postroom.logs import StandardError
from postroom.pipeline.outgoing import Mail
from postroom.service import PATIENCE
from postroom.settings import load, load_pipelines
from postroom.testing import message
from postroom.transports.smtp.terms import Terms
from postroom.transports.smtp.transport import SmtpTransport
from postroom.work import Seat, Worker
from postroom.work.claims import Keeper, Labour
from servers import sink

SENDER, RECIPIENT = "ann@example.org", "bob@example.net"
BATCH = 100


def plain(port: int, messages: Sequence[bytes]) -> float:
    with smtplib.SMTP("127.0.0.1", port) as client:
        began = time.perf_counter()
        for one in messages:
            client.sendmail(SENDER, [RECIPIENT], one)
        return len(messages) / (time.perf_counter() - began)


def transport(port: int, messages: Sequence[bytes]) -> float:
    way = SmtpTransport(terms=Terms(host="127.0.0.1", port=port, encryption="none"))
    began = time.perf_counter()
    for one in messages:
        way.send(Mail(sender=SENDER, recipients=(RECIPIENT,), chunks=(one,)))[RECIPIENT].check()
    try:
        return len(messages) / (time.perf_counter() - began)
    finally:
        way.close()


def write_site(root: Path, ports: Sequence[int]) -> None:
    """One mailbox, whose messages go to the server that their subject names."""
    rules = [
        {
            "name": f"to {number}",
            "when": {"subject": f"* {number}"},
            "do": [{"forward": {"to": RECIPIENT, "server": f"s{number}", "on-dmarc-fail": "send"}}, "discard"],
        }
        for number in range(len(ports))
    ]
    (root / "pipelines").mkdir()
    (root / "pipelines" / "main.yaml").write_text(yaml.safe_dump({"rules": rules}))
    servers = {
        f"s{number}": {"url": f"smtp://127.0.0.1:{port}", "tls": "off", "timeout": "30s"}
        for number, port in enumerate(ports)
    }
    mailboxes = {"in": {"url": "lmtp+unix:lmtp.sock", "pipeline": "main", "store": "mail", "recipients": [{"to": "*"}]}}
    (root / "postroom.yaml").write_text(
        yaml.safe_dump({"state": "state", "pipelines": "pipelines", "servers": servers, "mailboxes": mailboxes})
    )


@contextmanager
def working(root: Path, replied: list[float]) -> Iterator[tuple[Ledger, Labour]]:
    """A worker of this site. `replied`: when servers took messages."""
    settings = load(root / "postroom.yaml")
    with ExitStack() as stack:
        ledger = stack.enter_context(open_ledger(settings, settings.state_of()))
        log = StandardError(level="error")
        known = load_pipelines(settings)
        worker = Worker(
            ledger=ledger,
            spool=open_spool(settings, settings.state_of()),
            tools=replace(
                make_tools(settings, settings.state_of(), ledger, patience=PATIENCE),
                replied=lambda *_: replied.append(time.perf_counter()),
            ),
            pipelines=lambda _: known,
            retry=settings.retry,
            log=log,
        )
        keeper = Keeper(ledger, log)
        stack.callback(keeper.close)
        mailbox = settings.mailboxes["in"]
        yield (
            ledger,
            Labour(worker, keeper, lambda row: Seat(home(mailbox, row.store), lambda _: True), lambda _: None),
        )


def recorded(ledger: Ledger, messages: Sequence[bytes], store: str = "/nonexistent") -> list[int]:
    now = datetime.now(UTC)
    arrivals = [
        Arrival(
            source_key=f"k{number}",
            pipeline="main",
            received=now,
            sender=SENDER,
            recipients=(RECIPIENT,),
            store=store,
            content=one,
        )
        for number, one in enumerate(messages)
    ]
    return [one.id for one in ledger.record("in", Batch(arrivals=tuple(arrivals)))]  # type: ignore[union-attr]


def service(ports: Sequence[int], messages: Sequence[bytes], threads: int) -> tuple[float, int]:
    """Messages a second until the last was taken, and how many were."""
    replied: list[float] = []
    with tempfile.TemporaryDirectory() as directory:
        write_site(Path(directory), ports)
        with working(Path(directory), replied) as (ledger, labour):
            ids = recorded(ledger, messages)
            began = time.perf_counter()
            with ThreadPoolExecutor(threads) as pool:
                for start in range(0, len(ids), BATCH):
                    pool.submit(labour.process, ids[start : start + BATCH])
            assert len(ledger.find(Query(states=(State.SETTLED, State.DONE), limit=100_000))) == len(replied)
    return len(replied) / (max(replied) - began), len(replied)


def processes(port: int, messages: Sequence[bytes], count: int) -> float:
    """The same with so many worker processes, which are up and have sent a batch before."""
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as directory:
        write_site(Path(directory), [port])
        with working(Path(directory), []) as (ledger, _):
            ids = recorded(ledger, messages)
            ready, answers = spawn.Barrier(count), spawn.Queue()
            shares = [(directory, ids[number::count], ready, answers) for number in range(count)]
            workers = [spawn.Process(target=share, args=arguments) for arguments in shares]
            for one in workers:
                one.start()
            spans = [answers.get(timeout=300) for _ in workers]
            for one in workers:
                one.join()
            assert len(ledger.find(Query(states=(State.SETTLED,), limit=100_000))) == len(messages)
    sent = len(messages) - count * BATCH
    return sent / (max(end for _, end in spans) - min(began for began, _ in spans))


def share(directory: str, ids: Sequence[int], ready: Any, answers: Any) -> None:
    """One process's part; answers when it began and when the last was taken."""
    replied: list[float] = []
    with working(Path(directory), replied) as (_, labour):
        labour.process(ids[:BATCH])
        ready.wait()
        began = time.perf_counter()
        for start in range(BATCH, len(ids), BATCH):
            labour.process(ids[start : start + BATCH])
        answers.put((began, max(replied)))


@contextmanager
def hanging() -> Iterator[int]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        for one in held:
            one.close()


def made(count: int, servers: int = 1) -> list[bytes]:
    return [
        message(subject=f"to {number % servers}", message_id=f"<{number}@bench.example>") for number in range(count)
    ]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--messages", type=int, default=2000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--threads", type=int, default=4)
    chosen = options.parse_args()
    report = Report()
    with sink.running(dump=False) as one:
        for _ in range(chosen.rounds):
            report.add("smtplib", rate=plain(one.port, made(chosen.messages)))
            report.add("transport", rate=transport(one.port, made(chosen.messages)))
            report.add("service, 1 thread", rate=service([one.port], made(chosen.messages), 1)[0])
            report.add("service, 2 processes", rate=processes(one.port, made(chosen.messages), 2))
            report.add(
                f"service, {chosen.threads} threads", rate=service([one.port], made(chosen.messages), chosen.threads)[0]
            )
    with ExitStack() as stack:
        ports = [stack.enter_context(sink.running(dump=False)).port for _ in range(9)]
        for _ in range(chosen.rounds):
            report.add("nine servers", rate=service(ports, made(900, 9), chosen.threads)[0])
            with hanging() as port:
                rate, done = service([*ports, port], made(1000, 10), chosen.threads)
                report.add("nine servers beside one that hangs", rate=rate, done=done)
    bases = dict.fromkeys(
        ["transport", "service, 1 thread", "service, 2 processes", f"service, {chosen.threads} threads"], "smtplib"
    )
    bases["nine servers beside one that hangs"] = "nine servers"
    report.table({"rate": ("messages/s", 0), "done": ("done", 0)}, ("ratio", "rate", bases))


if __name__ == "__main__":
    main()
