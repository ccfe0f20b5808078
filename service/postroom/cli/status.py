"""`postroom status`: how each mailbox, the queue and the ledger are doing."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue

from postroom.app import open_ledger, open_spool, state_of
from postroom.cli.options import Config
from postroom.cli.output import json_of, print_json, print_table, span, table
from postroom.cli.shapes import SeenShape, StatusShape
from postroom.cli.standing import Queue, Seen, Status, looked
from postroom.ledger import State
from postroom.settings import load

if TYPE_CHECKING:
    from rich.console import Group

EVERY = 2.0  # seconds, with --watch
HEADINGS = ("MAILBOX", "STATE", "SINCE", "LOOKED", "IN FLIGHT", "UNSETTLED", "OLDEST", "RECONNECTS", "")


def status(
    config: Config = None,
    json: Annotated[bool, typer.Option("--json", help="For programs; with --watch one line each time.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again every two seconds, until interrupted.")] = False,
) -> None:
    """Show how mailboxes, queue and ledger are doing."""
    settings = load(config)
    state = state_of(settings, None)
    with open_ledger(settings, state) as ledger:
        spool = open_spool(settings, state)
        ask = Queue(settings)

        def look() -> Status:
            return looked(settings, ledger, spool, ask)

        with suppress(KeyboardInterrupt):
            if watch:
                follow(look, json=json)
            elif json:
                print_json(described(look()))
            else:
                show(look())


def show(found: Status) -> None:
    """A table, and what concerns all mailboxes below it."""
    if sys.stdout.isatty():
        print_table(*narrow(found))
    else:
        print_table(HEADINGS, rows(found))
    print()
    for line in totals(found):
        print(line)


def follow(look: Callable[[], Status], *, json: bool) -> None:
    """Again and again. On a terminal in place."""
    if json or not sys.stdout.isatty():
        while True:
            found = look()
            if json:
                print(json_of(described(found)), flush=True)
            else:
                show(found)
                sys.stdout.flush()
            time.sleep(EVERY)
    from rich.live import Live

    with Live(drawn(look()), screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(EVERY)
            live.update(drawn(look()), refresh=True)


def drawn(found: Status) -> "Group":
    """For a terminal."""
    from rich.console import Group
    from rich.text import Text

    return Group(table(*narrow(found)), "", *map(Text, totals(found)))


def narrow(found: Status) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Headings and rows for a terminal, where sentences stand below the table."""
    return HEADINGS[:-1], [row[:-1] for row in rows(found)]


def rows(found: Status) -> list[tuple[str, ...]]:
    """One for each mailbox."""
    return [
        (
            one.name,
            one.state,
            _ago(found.now, one.watched.changed_at if one.watched else None),
            _ago(found.now, one.watched.looked_at if one.watched else None),
            str(one.backlog.in_flight),
            str(one.backlog.unsettled),
            span(one.backlog.oldest) if one.backlog.unsettled else "",
            str(one.watched.reconnects if one.watched else 0),
            one.reason,
        )
        for one in found.mailboxes
    ]


def totals(found: Status) -> Iterator[str]:
    """What concerns all mailboxes, a line each."""
    if found.mailboxes and not any(one.alive for one in found.mailboxes):
        yield "service       does not run: nobody watches a mailbox"
    for one in found.mailboxes:
        if one.reason:
            yield f"{one.state:12}  {one.name}: {one.reason}"
    counted = [f"{number} {state}" for state, number in found.counts.messages.items() if number]
    yield f"messages      {', '.join(counted) or 'none'}"
    yield f"effects       {found.counts.pending} pending"
    waited = span(found.counts.oldest_due)
    yield f"waiting       {f'{waited} for a worker' if waited else 'nothing'}"
    dead = found.counts.messages.get(State.DEAD, 0)
    yield f"dead letters  {f'{dead}, see `postroom messages --dead`' if dead else 'none'}"
    if found.away:
        yield f"queue         {found.away}"
    else:
        yield f"queue         {'inside `postroom run`' if found.queue is None else f'{found.queue} tasks'}"
    yield f"spool         {found.free / 1e9:.1f} GB free"


def described(found: Status) -> JsonValue:
    """For `--json`."""
    oldest = found.counts.oldest_due
    shape = StatusShape(
        time=found.now.isoformat(),
        mailboxes=tuple(map(_described, found.mailboxes)),
        messages={state: found.counts.messages.get(state, 0) for state in State},
        effects_pending=found.counts.pending,
        dead_letters=found.counts.messages.get(State.DEAD, 0),
        oldest_due_seconds=oldest.total_seconds() if oldest is not None else None,
        queue_length=found.queue,
        queue_error=found.away or None,
        spool_free_bytes=found.free,
    )
    return shape.model_dump(mode="json")


def _described(one: Seen) -> SeenShape:
    return SeenShape(
        mailbox=one.name,
        kind=one.kind,
        state=one.state,
        reason=one.reason or None,
        since=_iso(one.watched.changed_at if one.watched else None),
        looked=_iso(one.watched.looked_at if one.watched else None),
        in_flight=one.backlog.in_flight,
        unsettled=one.backlog.unsettled,
        oldest_seconds=one.backlog.oldest.total_seconds(),
        reconnects=one.watched.reconnects if one.watched else 0,
    )


def _ago(now: datetime, then: datetime | None) -> str:
    return f"{span(now - then)} ago" if then else ""


def _iso(then: datetime | None) -> str | None:
    return then.isoformat() if then else None
