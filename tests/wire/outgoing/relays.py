"""A pure relay with its real ledger and worker: what it takes is worked on at once."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import yaml

from postroom.app import home, make_tools, open_ledger, open_spool
from postroom.ledger import Arrival, Batch, Ledger, Query, Recorded
from postroom.logs import StandardError
from postroom.pipeline.tools import Tools
from postroom.settings import load, load_pipelines
from postroom.work import Seat, Worker
from postroom.work.claims import Keeper, Labour
from servers.dns import Dns
from servers.smtp import Smtp

SENDER = "jane@home.example"


class Relay:
    """A listener's mailbox with `store: none`, whose messages are worked on at once."""

    def __init__(self, ledger: Ledger, labour: Labour, tools: Tools) -> None:
        self.ledger = ledger
        self.tools = tools
        self._labour = labour

    def take(self, content: bytes, sender: str = SENDER, client: str = "") -> str:
        """What became of a message. `client`: the address that it came from."""
        now = datetime.now(UTC)
        arrival = Arrival(
            source_key=str(now),
            pipeline="main",
            received=now,
            sender=sender,
            recipients=("you@home.example",),
            content=content,
            prefix=f"Received: from a.example ([{client}])\r\n\tby relay.example with ESMTP id 1; x\r\n".encode()
            if client
            else b"",
        )
        [recorded] = self.ledger.record("in", Batch(arrivals=(arrival,)))
        assert isinstance(recorded, Recorded)
        self._labour.process([recorded.id])
        return self._state()

    def take_all(self, contents: Sequence[bytes]) -> None:
        """Messages that are worked on in one batch."""
        now = datetime.now(UTC)
        arrivals = tuple(
            Arrival(
                source_key=f"{now} {number}",
                pipeline="main",
                received=now,
                sender=SENDER,
                recipients=("you@home.example",),
                content=content,
            )
            for number, content in enumerate(contents)
        )
        recorded = self.ledger.record("in", Batch(arrivals=arrivals))
        self._labour.process([one.id for one in recorded if isinstance(one, Recorded)])

    def replay(self, number: int, *, again: bool = False) -> str:
        """What became of it when a person had it tried once more, or planned again."""
        assert self.ledger.replay(number, again=again)
        self._labour.process([number])
        return self._state()

    def _state(self) -> str:
        [row] = self.ledger.find(Query(limit=1))
        return row.state.value


@contextlib.contextmanager
def relaying(
    root: Path, server: Smtp, inside: Smtp, dns: Dns, rules: object, patience: float | None = None
) -> Iterator[Relay]:
    """`inside`: a server of LMTP beside the one for everybody. `patience`: as tools have it."""
    (root / "pipelines").mkdir()
    (root / "pipelines" / "main.yaml").write_text(yaml.safe_dump({"rules": rules}))
    mailbox = {"url": "lmtp+unix:l.sock", "pipeline": "main", "store": "none", "recipients": [{"to": "*"}]}
    written = {
        "state": "state",
        "pipelines": "pipelines",
        "host": "relay.example",
        "mailboxes": {"in": mailbox},
        "servers": {
            "relay": {"url": f"smtp://127.0.0.1:{server.port}", "tls": "off"},
            "inside": {"url": f"lmtp://127.0.0.1:{inside.port}", "tls": "off"},
        },
        "defaults": {"server": "relay"},
        "resolver": {"servers": [f"127.0.0.1:{dns.port}"], "timeout": "20s"},
        "trust": {"hosts": ["mx.relay.example", "10.0.0.2"], "authserv-id": ["relay.example"]},
    }
    (root / "postroom.yaml").write_text(yaml.safe_dump(written))
    settings = load(root / "postroom.yaml")
    known, log = load_pipelines(settings), StandardError(level="error")
    with contextlib.ExitStack() as stack:
        ledger = stack.enter_context(open_ledger(settings, settings.state_of()))
        tools = replace(make_tools(settings, settings.state_of(), ledger, patience=patience), answers=False)
        worker = Worker(
            ledger=ledger,
            spool=open_spool(settings, settings.state_of()),
            tools=tools,
            pipelines=lambda _: known,
            retry=settings.retry,
            log=log,
        )
        keeper = Keeper(ledger, log)
        stack.callback(keeper.close)
        of = settings.mailboxes["in"]
        yield Relay(
            ledger,
            Labour(worker, keeper, lambda row: Seat(home(of, row.store), lambda _: True, bounces=True), lambda _: None),
            tools,
        )
