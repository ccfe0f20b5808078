"""The step `reply`: an automatic answer, to people and to nobody twice."""

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from email.utils import format_datetime
from typing import Annotated, ClassVar, Final, Self

from pydantic import AfterValidator, Field, model_validator

from postroom.message import parse_addresses
from postroom.message.compose import compose
from postroom.model import OneOrMore
from postroom.pipeline.outcome import Effect, Letter, Note, Outcome, Receipt
from postroom.pipeline.outgoing import Mail
from postroom.pipeline.step import Kind, Reference, Step
from postroom.pipeline.templates import HeaderTemplate, HtmlTemplate, TextTemplate
from postroom.pipeline.text import folded
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View
from postroom.steps.allowance import granted
from postroom.steps.courtesy import refusal, return_path, written_to
from postroom.steps.enclosures import enclosures
from postroom.steps.references import own_id, references
from postroom.units import Duration

SPACE: Final = "replied"
PACE: Final = "replies of this hour"
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
OLD: Final = timedelta(days=7)  # by its own date: mail that a mailbox held before we looked after it


def _ours(text: str) -> str:
    found = parse_addresses(text, str) if text.isprintable() else ()
    if len(found) != 1 or not found[0].domain:
        raise ValueError("an address is expected here: somebody@example.com, or Somebody <somebody@example.com>")
    return text


def _period(value: timedelta) -> timedelta:
    if value < HOUR:
        raise ValueError("an hour is the shortest time between two answers")
    return value


class ReplyEffect(Effect):
    """One answer to one sender. It is written down that they got one before they do: what is lost in a crash is an
    answer, and never the end of a loop."""

    word: ClassVar[str] = "reply"
    repeatable: ClassVar[bool] = False

    to: str
    server: str
    from_: str
    subject: str
    text: str | None
    html: str | None
    attach: tuple[str, ...]
    in_reply_to: str
    references: tuple[str, ...]
    known_as: str
    every: Duration
    per_hour: int

    @property
    def target(self) -> str:
        return self.to

    def prepare(self, tools: Tools) -> bool:
        return tools.servers[self.server].prepare()

    def perform(self, letter: Letter, tools: Tools) -> Receipt:
        if tools.clock() - letter.received > DAY:
            return Receipt(detail="not answered: it came more than a day ago")
        if letter.uncertain:
            return Receipt(detail="not answered again: an earlier try may have done it", repeated=True)
        mail = Mail(
            sender="",
            recipients=(self.to,),
            chunks=[self._message(letter, tools)],
            key=letter.key,
            utf8=not (self.to + self.from_).isascii(),
        )
        if not tools.memory.remember(SPACE, self.known_as, letter.key, self.every):
            return Receipt(detail="not answered: its sender got an answer lately", repeated=True)
        if not self._may_go(letter, tools):
            return Receipt(detail=f"not answered: {self.per_hour} answers went out within an hour")
        reply = tools.servers[self.server].send(mail)[self.to]
        tools.replied(self.server, reply.code)
        reply.check()
        return Receipt(detail=str(reply), queue_id=reply.queue_id, tls=reply.tls)

    def _may_go(self, letter: Letter, tools: Tools) -> bool:
        """Whether one of the hour's places is free."""
        return granted(tools.memory, PACE, letter.key, self.per_hour, HOUR)

    def _message(self, letter: Letter, tools: Tools) -> bytes:
        fields = [
            ("From", self.from_),
            ("To", self.to),
            ("Subject", self.subject),
            ("Date", format_datetime(tools.clock())),
            ("Message-ID", f"<{letter.key}@{tools.host}>"),
            ("Auto-Submitted", "auto-replied"),
            ("X-Auto-Response-Suppress", "All"),
        ]
        if self.in_reply_to:
            fields.append(("In-Reply-To", self.in_reply_to))
        if self.references:
            fields.append(("References", " ".join(self.references)))
        return compose(
            fields, boundary=letter.key, text=self.text, html=self.html, enclosures=enclosures(self.attach, tools.files)
        )


class ReplyStep(Step):
    """Answers automatically, as RFC 3834 and RFC 5230 (vacation) say. The answer goes to the sender of the envelope, or
    what Return-Path says, from `<>`, so that nothing answers it. There is none for `<>`, robots and lists, by their
    names, `List-*`, `Precedence`, `Auto-Submitted` or `X-Auto-Response-Suppress`; none for reports, for mail from an
    address of ours, and for mail that does not name one of ours in To, Cc or Bcc: those are the mailbox's `addresses`
    (default: its user), the envelope's recipients and `addresses` here. The same sender gets the same answer once in
    the time of `every`; mail that waited for a day, or says that it is more than a week old, gets none. Which of this
    was the reason stands in the trace. By default the subject of the message is not quoted: a robot could be made to
    take it for a command. The message is kept unless a rule says otherwise.

        - reply: {text: "I am away until Monday.", server: relay}
        - reply: {text: "Thank you, {{ from.name }}.", html: "<p>Thank you, {{ from.name }}.", every: 1d, server: relay}
    """

    word: ClassVar[str] = "reply"
    kind: ClassVar[Kind] = "act"
    main: ClassVar[str | None] = "text"

    text: TextTemplate | None = Field(default=None, description="The answer, as plain text.")
    html: HtmlTemplate | None = Field(default=None, description="The answer as HTML, alone or beside the text.")
    subject: HeaderTemplate = Field(default=HeaderTemplate("Automatic reply"), description="Its subject.")
    from_: Annotated[str, AfterValidator(_ours)] | None = Field(
        default=None,
        alias="from",
        description="Our address in it; default: `defaults.from`, else that which the message was written to.",
    )
    addresses: Annotated[tuple[Annotated[str, AfterValidator(_ours)], ...], OneOrMore] = Field(
        default=(), description="Further addresses that are ours."
    )
    every: Annotated[Duration, AfterValidator(_period)] = Field(
        default=timedelta(days=7), description="How long a sender gets no second answer of this text."
    )
    per_hour: int = Field(
        default=100, ge=1, le=1000, alias="per-hour", description="Answers of all mailboxes within an hour; no more go."
    )
    attach: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], OneOrMore] = Field(
        default=(), max_length=20, description="Files to attach, of 20 MB together."
    )
    server: str = Field(default="", description="One of `servers`; default: `defaults.server`.")

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.text is None and self.html is None:
            raise ValueError("give `text`, `html` or both")
        return self

    def names(self) -> Iterator[Reference]:
        yield Reference("server", self.server)

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        message, sender = view.message, return_path(view.message, view.envelope.sender)
        ours = [*tools.addresses.get(view.mailbox, ()), *view.envelope.recipients, *map(_spec, self.addresses)]
        known_as = self._known_as(view.mailbox, sender or "")
        why = refusal(message, sender, ours) or self._too_late(view)
        if not why and tools.memory.recall(SPACE, known_as):
            why = "its sender got an answer lately"
        if why or not sender:
            yield Note(f"not answered: {why}")
            return
        yield ReplyEffect(
            to=sender,
            server=self.server,
            from_=self.from_ or written_to(message, ours),
            subject=self.subject.render(view, tools),
            text=self.text.render(view, tools) if self.text else None,
            html=self.html.render(view, tools) if self.html else None,
            attach=self.attach,
            in_reply_to=own_id(message),
            references=references(message),
            known_as=known_as,
            every=self.every,
            per_hour=self.per_hour,
        )

    def _too_late(self, view: View) -> str:
        if view.now - view.received > DAY:
            return "it came more than a day ago"
        written = view.message.date
        return "it says that it is more than a week old" if written and view.now - written > OLD else ""

    def _known_as(self, mailbox: str, sender: str) -> str:
        """This answer of this mailbox to this sender (RFC 5230 §4.2); a hash, because the memory outlives them."""
        answer = self.model_dump_json(include={"text", "html", "subject", "from_", "attach"})
        told = "\0".join((mailbox, answer, folded(sender)))
        return hashlib.sha256(told.encode("utf-8", "replace")).hexdigest()


def _spec(address: str) -> str:
    [found] = parse_addresses(address, str)  # the option was checked
    return found.spec
