"""`postroom filter`: one message from standard input through intake, plan and effects; the exit status settles it."""

import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import NoReturn

from postroom.app import LEASE, Site, open_site, tidy
from postroom.errors import Temporary
from postroom.ledger import Arrival, Batch, Claim, Lease, Owner, Refused, State
from postroom.message import Message, edited, parse
from postroom.pipeline.plan import Plan
from postroom.pipeline.view import Envelope
from postroom.sources.stdin import Offered, envelope, offered, source_key
from postroom.work import reply_in

ACCEPTED, LATER, REJECTED = 0, 75, 77
SIGNALS = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGALRM,
    signal.SIGUSR1,
    signal.SIGUSR2,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What came of the message: `kept` it is the store's, or goes to standard output with --pass."""

    kept: bool
    plan: Plan | None
    reply: str = ""


def run(arguments: Sequence[str]) -> int:
    """Exit status 0, 75 or 77. Raises for everything that has to end with 75 and a sentence."""
    occupy()
    for number in SIGNALS:
        signal.signal(number, leave)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # a closed standard output is an error of writing
    options = parser().parse_args(arguments)
    if options.help:
        parser().print_help()
        return ACCEPTED
    if os.isatty(0):
        sys.stderr.write("A message is expected on standard input; Ctrl-D ends it.\n")
    with open_site(options.config, mailbox=options.mailbox, pipeline=options.pipeline, passes=options.passes) as site:
        status = offer(site, options)
        for number in SIGNALS:  # it is done and written down: too late to say anything else
            signal.signal(number, signal.SIG_IGN)
        tidy(site)
        return status


def occupy() -> None:
    """See to it that 0, 1 and 2 are what they are everywhere: where one is closed, the next file that is opened would
    get its number, and its contents be taken for a message. Raises Temporary where there is no standard input."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            if number == 0:
                raise Temporary("standard input is closed: there is no message") from None
            os.open(os.devnull, os.O_WRONLY)


def leave(number: int, _: FrameType | None) -> NoReturn:
    """Every signal is 75: nothing was promised yet, and what was begun is in the ledger."""
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise SystemExit(f"stopped by {signal.Signals(number).name}")


def caller(size: int) -> bytes:
    """At most so many octets of what the caller writes; empty at its end."""
    return os.read(0, size)


def offer(site: Site, options: Namespace, read: Callable[[int], bytes] = caller) -> int:
    """Read the message, make it ours, and bring it to its end."""
    taken = offered(read, inline=site.settings.spool.inline, spool=site.spool)
    told = envelope(sender=options.sender, recipients=options.recipients, environment=os.environ, inside=taken.sender)
    arrival = arrived(site, taken, told, passes=options.passes)
    resume_for = timedelta(0) if options.again else site.mailbox.resume_for
    owner = Owner.current()
    batch = Batch(arrivals=(arrival,))
    [recorded] = site.ledger.record(site.name, batch, lease=Lease(owner, LEASE), resume_for=resume_for)
    if isinstance(recorded, Refused):
        raise recorded.error
    assert recorded.id is not None, "stdin keeps no identities beyond its rows"
    # From here on it is ours: a later offer finds it.
    try:
        if recorded.claim is not None:
            settled = worked(site, recorded.claim, passes=options.passes)
        else:
            settled = found(site, recorded.id)
        if options.passes and settled.kept:
            write(taken, site, settled.plan)
    finally:
        if not recorded.new and not isinstance(taken.content, bytes):
            site.spool.delete(taken.content.name)
    if options.passes:
        site.ledger.settled([recorded.id], "kept" if settled.kept else "moved")
    return rejected(settled.reply) if settled.reply else ACCEPTED


def worked(site: Site, claim: Claim, *, passes: bool) -> Settled:
    """Plan and perform; a later try of anything makes the whole offer a later one."""
    verdict = site.worker.process(claim, site.home, settle=not passes, patient=False)
    if verdict.state == "later":
        raise Temporary(verdict.error or "an effect has to wait")
    return Settled(kept=verdict.plan.settlement.place == "kept", plan=verdict.plan, reply=verdict.reply)


def found(site: Site, number: int) -> Settled:
    """A message that was offered before: its end is told again."""
    shown = site.ledger.show(number)
    if shown is None or shown.row.state in (State.RECEIVED, State.PLANNED):
        raise Temporary("another process is working on this message")
    stored = shown.row.plan
    return Settled(
        kept=shown.row.outcome in (None, "kept"),
        plan=Plan.model_validate_json(stored) if stored else None,
        reply=reply_in(effect.receipt for effect in shown.effects),
    )


def arrived(site: Site, taken: Offered, told: Envelope, *, passes: bool) -> Arrival:
    with site.reading(taken.content) as raw:
        message = parse(raw, limits=site.tools.limits)
        return Arrival(
            source_key=source_key(pipeline=site.pipeline, envelope=told, identity=taken.identity, passes=passes),
            pipeline=site.pipeline,
            received=site.tools.clock(),
            content=taken.content,
            sender=told.sender,
            recipients=told.recipients,
            store=str(site.mailbox.store) if site.mailbox.store else None,
            message_id=message.message_id,
            prefix=return_path(message, told.sender),
        )


def return_path(message: Message, sender: str | None) -> bytes:
    """The one Return-Path that final delivery adds (RFC 5321 4.4), where no carrier did so before."""
    if sender is None or message.headers.get("Return-Path") is not None:
        return b""
    if any(char <= " " or char in "<>\x7f" for char in sender):
        return b""
    if message.raw[:1] in (b" ", b"\t"):  # it would become part of ours, as a continuation (RFC 5322 2.2.3)
        return b""
    line = f"Return-Path: <{sender}>".encode("utf-8", "replace")
    return line + (b"\r\n" if b"\r\n" in bytes(message.raw[:4096]) else b"\n")


def write(taken: Offered, site: Site, plan: Plan | None) -> None:
    """The message as edited, to standard output. Raises OSError where nobody takes it: then it was not passed on."""
    with site.reading(taken.content) as raw:
        out = sys.stdout.buffer
        out.write(taken.from_line)
        for piece in edited(raw, plan.edits if plan else ()):
            out.write(piece)
        out.flush()


def rejected(reply: str) -> int:
    sys.stderr.write(f"{reply}\n")
    return REJECTED


class Arguments(ArgumentParser):
    """Raises instead of leaving with status 2, on which a mail server would bounce the message."""

    def error(self, message: str) -> NoReturn:
        raise Temporary(f"{message}; see postroom filter --help")


def parser() -> ArgumentParser:
    made = Arguments(
        prog="postroom filter",
        description="Take one message from standard input. Ends with 0: done, 75: offer it again later, 77: rejected.",
        add_help=False,
        allow_abbrev=False,
    )
    add = made.add_argument
    add("--help", action="store_true", help="show this and end")
    add(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings; else $POSTROOM_CONFIG, ./postroom.yaml ...",
    )
    add("--mailbox", metavar="NAME", help="which mailbox of the settings, where several have the url stdin:")
    add("--pipeline", metavar="NAME", help="another pipeline than the mailbox names")
    add("--sender", metavar="ADDRESS", help="reverse-path; else $SENDER, Return-Path, the From_ line")
    add(
        "--recipient",
        metavar="ADDRESS",
        dest="recipients",
        action="append",
        default=[],
        help="else $RECIPIENT",
    )
    add(
        "--pass",
        dest="passes",
        action="store_true",
        help="write what is kept to standard output, not to the store",
    )
    add("--again", action="store_true", help="process a message anew that was done before")
    return made
