"""`postroom messages`, `show`, `replay`, `drop`: what is in the ledger, and a person's decisions about it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer

from postroom.app import LEASE, open_ledger, open_site, open_spool, state_of
from postroom.cli.options import Config, Json, OfMailbox
from postroom.cli.output import aligned, print_json, print_line, print_lines, print_table, when
from postroom.cli.shapes import MessageShape, detail, queue_id
from postroom.errors import Permanent
from postroom.ledger import EffectRow, Lease, Ledger, Owner, Query, Row, Shown, State
from postroom.pipeline.plan import Line, Plan
from postroom.settings import Settings, load
from postroom.spool import Spool

UNTOLD: Final = "its sender does not know"
MOST = 2**63 - 1  # as a number; no database has more
Ids = Annotated[list[int], typer.Argument(metavar="ID...", help="Numbers, as `messages` lists them.")]


def messages(
    config: Config = None,
    mailbox: OfMailbox = None,
    dead: Annotated[bool, typer.Option("--dead", help="Only dead letters, each with its reason.")] = False,
    state: Annotated[
        State | None, typer.Option(metavar="STATE", help=f"Only those in this state: {', '.join(State)}.")
    ] = None,
    message_id: Annotated[str | None, typer.Option(metavar="ID", help="Only those with this Message-ID.")] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most so many.")] = 100,
    json: Json = False,
) -> None:
    """List messages, newest first. Ends with 1 where there are none."""
    states = (State.DEAD,) if dead else (state,) if state else ()
    with opened(config, mailbox) as (ledger, _):
        query = Query(states=states, mailbox=mailbox, message_id=message_id, limit=limit)
        rows = ledger.find(query)
        if message_id and not rows:  # copied without its angle brackets
            rows = ledger.find(replace(query, message_id=f"<{message_id}>"))
        found = [shown for row in rows if (shown := ledger.show(row.id))]
    if json:
        print_json([MessageShape.of(shown).model_dump(mode="json") for shown in found])
    elif found or not sys.stdout.isatty():
        last = "ERROR" if dead else "PLAN"
        headings = ("ID", "RECEIVED", "MAILBOX", "STATE", "OUTCOME", "SIZE", last)
        print_table(headings, [_line(shown, dead=dead) for shown in found])
    if not found:
        if not json:
            print("postroom: no message is like that", file=sys.stderr)
        sys.exit(1)


def show(
    number: Annotated[int, typer.Argument(metavar="ID", help="A number, as `messages` lists them.")],
    config: Config = None,
    mailbox: OfMailbox = None,
    raw: Annotated[bool, typer.Option("--raw", help="The message itself, as it came.")] = False,
    json: Json = False,
) -> None:
    """Show one message: its envelope, its effects, and what became of them."""
    with opened(config, mailbox) as (ledger, spool):
        shown = _shown(ledger, number, mailbox)
        if raw:
            _write_raw(ledger, spool, shown.row)
            return
    if json:
        print_json(MessageShape.of(shown).model_dump(mode="json"))
        return
    row = shown.row
    facts = {
        "message": f"{row.id} ({row.message_id or 'without Message-ID'})",
        "received": when(row.received_at),
        "mailbox": row.mailbox,
        "pipeline": row.pipeline,
        "state": f"{row.state}{f', {row.outcome}' if row.outcome else ''}",
        "envelope": _envelope(row),
        "size": f"{row.size} octets",
        "error": row.error or "",
        "to do": f"mend that, then `postroom replay {row.id}`, else `postroom drop {row.id}`"
        if row.state is State.DEAD
        else "",
    }
    print_lines((f"{name:<8}  {text}", "") for name, text in facts.items() if text)
    if decided := [(_said(line), line.rule) for line in lines_of(shown)]:
        print_lines([("plan", "bold"), *((f"  {line}", "") for line in aligned(decided))])
    if shown.effects:
        print_lines([("effects", "bold"), *map(_became, shown.effects)])


def _became(effect: EffectRow) -> tuple[str, str]:
    """An effect, its number for --from-effect, and what became of it."""
    what = f"{effect.record.word} {effect.record.target}".rstrip()
    told = _told(effect)
    line = f"{effect.record.ordinal:>3}  {what}: {effect.state}{f' ({told})' if told else ''}"
    return line, "red" if effect.state == "dead" else ""


def _told(effect: EffectRow) -> str:
    """Why it failed, how the next server calls what it took; of a report, who heard it."""
    if effect.record.word == "bounce":
        return f"{UNTOLD}: {effect.error}" if effect.error else detail(effect)
    if effect.error:
        return effect.error
    return f"it is {known} there" if (known := queue_id(effect)) else ""


def replay(
    numbers: Ids,
    config: Config = None,
    mailbox: OfMailbox = None,
    from_effect: Annotated[int | None, typer.Option(metavar="N", help="Also repeat effects from this one on.")] = None,
    plan_again: Annotated[
        bool, typer.Option("--plan-again", help="By today's rules; effects that were done stay done.")
    ] = False,
) -> None:
    """Work on messages once more: what failed is tried again, what was done stays done. A report to the sender that
    could not be sent is made anew where the message fails again.

    Standard input's are worked on here and now, all others by the service, when it runs.
    """
    settings = load(config)
    failed = False
    with opened(config, mailbox) as (ledger, _):
        # All are looked up first: of standard input's nobody else would go on with those before one that is not there.
        rows = [_replayable(_shown(ledger, number, mailbox), from_effect) for number in dict.fromkeys(numbers)]
        own = [row.id for row in rows if _is_of_stdin(settings, row)]
        for row in rows:
            ledger.replay(row.id, from_effect=from_effect, again=plan_again)
            if row.id not in own:
                print(f"{row.id}: the service goes on with it")
    if own:
        failed = _worked(own, config, mailbox)
    if failed:
        sys.exit(1)


def _replayable(shown: Shown, from_effect: int | None) -> Row:
    number = shown.row.id
    if shown.row.blob is None:
        raise Permanent(f"there is nothing to replay of message {number}: its bytes are gone, or never came")
    if from_effect is not None and all(effect.record.ordinal != from_effect for effect in shown.effects):
        raise Permanent(f"message {number} has no effect {from_effect}: `postroom show {number}` tells their numbers")
    return shown.row


def _is_of_stdin(settings: Settings, row: Row) -> bool:
    found = settings.mailboxes.get(row.mailbox)
    return found is None or found.kind == "stdin"


def _worked(numbers: list[int], config: Path | None, mailbox: str | None) -> bool:
    """Work on messages of standard input; answers whether one of them did not come to a good end."""
    failed = False
    with open_site(config, mailbox=mailbox, pipeline=None, passes=False) as site:
        for number in numbers:
            for claim in site.ledger.claim([number], Lease(Owner.current(), LEASE)):
                verdict = site.worker.process(claim, site.home, settle=True, patient=False)
                failed = failed or verdict.state != "done"
                print_line(f"{number}: {verdict.state}{f' ({verdict.error})' if verdict.error else ''}")
    return failed


def drop(
    numbers: Ids,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; kept in the ledger.")],
    config: Config = None,
    mailbox: OfMailbox = None,
) -> None:
    """Set messages aside for good; nothing more is done with them."""
    with opened(config, mailbox) as (ledger, _):
        for number in numbers:
            if not ledger.drop(_shown(ledger, number, mailbox).row.id, reason):
                raise Permanent(f"message {number} cannot be dropped: it has ended well")
            print(f"{number}: dropped")


@contextmanager
def opened(config: Path | None, mailbox: str | None) -> Iterator[tuple[Ledger, Spool]]:
    """Ledger and spool of a mailbox, or the service's. Standard input's are its user's own."""
    settings = load(config)
    state = state_of(settings, mailbox)
    with open_ledger(settings, state) as ledger:
        yield ledger, open_spool(settings, state)


def _shown(ledger: Ledger, number: int, mailbox: str | None) -> Shown:
    """One message, of this mailbox where one is named. Raises Permanent."""
    shown = ledger.show(number) if abs(number) <= MOST else None
    if shown is None:
        raise Permanent(f"there is no message {number}")
    if mailbox not in (None, shown.row.mailbox):
        raise Permanent(f"message {number} is not of `{mailbox}`, but of `{shown.row.mailbox}`")
    return shown


def _line(shown: Shown, *, dead: bool) -> tuple[str, ...]:
    row = shown.row
    errors = [row.error] if row.error else []
    errors += [UNTOLD for effect in shown.effects if effect.record.word == "bounce" and effect.state == "dead"]
    return (
        str(row.id),
        when(row.received_at),
        row.mailbox,
        row.state,
        row.outcome or "",
        str(row.size),
        "; ".join(errors) if dead else ", ".join(map(_said, lines_of(shown))),
    )


def lines_of(shown: Shown) -> tuple[Line, ...]:
    """What the rules decided; nothing where the message has no plan yet."""
    return Plan.model_validate_json(shown.row.plan).lines if shown.row.plan else ()


def _said(line: Line) -> str:
    return f"{line.word} {line.target}".rstrip()


def _envelope(row: Row) -> str:
    """Sender and recipients; empty where the source knew neither."""
    if row.sender is None and not row.recipients:
        return ""
    sender = "unknown" if row.sender is None else f"<{row.sender}>"
    return f"{sender} to {', '.join(row.recipients) or 'nobody named'}"


def _write_raw(ledger: Ledger, spool: Spool, row: Row) -> None:
    inline = ledger.content(row)
    if inline is not None:
        sys.stdout.buffer.write(inline)
    elif row.blob is not None:
        with spool.open(row.blob) as raw:
            sys.stdout.buffer.write(raw)
    else:
        raise Permanent(f"the bytes of message {row.id} are gone")
