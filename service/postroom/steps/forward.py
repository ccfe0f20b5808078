"""The step `forward` and its effect, one for each recipient."""

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from postroom.errors import Permanent, Uncertain
from postroom.message import Message
from postroom.model import OneOrMore
from postroom.pipeline.outcome import Effect, Letter, Note, Outcome, Receipt
from postroom.pipeline.outgoing import Mail
from postroom.pipeline.step import Kind, Reference, Step
from postroom.pipeline.templates import AddressTemplate
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import Auth, View
from postroom.steps import alignment, covers, redirect, repeats, traces
from postroom.steps.alignment import OnDmarcFail
from postroom.steps.patterns import Globs
from postroom.steps.recipients import recipients

Mode = Literal["redirect", "attach", "inline"]


def _address(text: str) -> str:
    if text and not AddressTemplate(text).constant:
        raise ValueError("an address is expected here, without values from a message")
    return text


class ForwardEffect(Effect):
    """One message to one recipient. That a server took it cannot be seen a second time, so it is recorded before
    it starts. `refused`: why it must not go; then the message is kept."""

    word: ClassVar[str] = "forward"
    repeatable: ClassVar[bool] = False

    to: str
    server: str
    reports: str = ""  # the server for a report to the sender; empty: the same
    mode: Mode = "redirect"
    sender: str = ""  # of the envelope, before it is rewritten; "" is `<>`
    from_: str = ""
    srs: bool = True
    resent: bool = False
    rewrites: bool = False  # the From field, to `from_`
    seals: bool = False
    auth: Auth | None = None  # what was found, to be sealed
    refused: str = ""

    @property
    def target(self) -> str:
        return self.to

    def prepare(self, tools: Tools) -> bool:
        return tools.servers[self.server].prepare()

    def perform(self, letter: Letter, tools: Tools) -> Receipt:
        if self.refused:
            raise Permanent(f"not forwarded: {self.refused}")
        transport = tools.servers[self.server]
        if letter.uncertain and transport.holds:
            raise Uncertain("it may have been delivered: the process ended while it was sent", holds=True)
        known = repeats.known_as(letter, self.mode, self.to)
        if repeats.went_before(known, letter, tools.memory):
            return Receipt(detail="this message went to this recipient before", repeated=True)
        chunks = self._chunks(letter, tools)
        mail = Mail(sender=self._sender(tools), recipients=(self.to,), chunks=chunks, key=letter.key)
        reply = transport.send(mail)[self.to]
        tools.replied(self.server, reply.code)
        try:
            reply.check()
        except Uncertain as error:
            raise Uncertain(str(error), holds=transport.holds) from None
        return Receipt(detail=str(reply), queue_id=reply.queue_id, tls=reply.tls, remembered=known)

    def _sender(self, tools: Tools) -> str:
        """`<>` stays `<>`: a bounce must not cause another (RFC 5321 4.5.5)."""
        if self.mode != "redirect":
            return self.from_ if self.sender else ""
        if self.srs and tools.srs is not None and self.sender:
            return tools.srs.rewritten(self.sender, tools.clock())
        return self.sender

    def _chunks(self, letter: Letter, tools: Tools) -> Sequence[bytes | memoryview]:
        now = tools.clock()
        wrap = None if self.mode == "redirect" else covers.message_id(letter.key, tools.host)
        mark = (traces.FIELD, traces.mark(letter.message, self.to, tools.seal, wrap))
        if self.mode == "redirect":
            fields = [redirect.received(tools.host, letter.key, now), mark]
            if self.resent:
                fields += redirect.resent(self.from_, self.to, letter.key, tools.host, now)
            came = letter.message
            message = alignment.rewritten(came, self.from_, tools.host) if self.rewrites else came
            seal = self._sealed(message, came, tools)
            return [seal, *redirect.redirected(message, letter.prefix, fields)]
        cover = covers.Cover(
            sender=self.from_, recipient=self.to, host=tools.host, key=letter.key, at=now, fields=[mark]
        )
        made = covers.attached if self.mode == "attach" else covers.inline
        return made(letter.message, cover)

    def _sealed(self, message: Message, came: Message, tools: Tools) -> bytes:
        if not self.seals:
            return b""
        if tools.arc is None:
            raise Permanent("it cannot be sealed: postroom.yaml has no `arc`")
        return tools.arc.sealed(message, came, self.auth, tools.resolver(), tools.clock())


class ForwardStep(Step):
    """Sends the message on, as edited so far, to each of the recipients. `redirect`: every octet as it came, so that
    DKIM signatures survive, with Received and a signed mark of ours on top and a new envelope; `attach`: inside a
    message of ours; `inline`: readable in a message of ours, with its attachments. A bounce (`<>`) stays one. With
    `srs` in postroom.yaml the sender of the envelope is rewritten to one of ours, and mail to such an address goes
    to whom it is for: `forward: {to: "{{ recipient }}", allow: "srs*@example.com"}`. Recipients that come from a
    message need `allow`. What would go round in a circle fails for good. The message is kept all the same: write
    `discard` beside it where it need not be; if forwarding fails for good, it is kept whatever the rules say.

    A `redirect` that the next server would refuse is found before it goes: where the domain of the From field asks for
    `quarantine` or `reject` (DMARC) and no sound DKIM signature of it is left, SPF cannot speak for it any more.
    `on-dmarc-fail` says what becomes of it: `attach`, to a message of ours; `rewrite-from`, whose From field is then
    `"Name via host"` with our address, and whose Reply-To is who wrote it; `send`, as it is, and nobody is asked;
    `keep`, which is a failure for good. What `authenticate` found before is not asked again where it decides. Where
    the DNS does not say, the message waits.

    `arc: true` seals a `redirect` (RFC 8617) with what `authenticate` found before, for servers that believe your
    domain; those that do not know it will not, so that `on-dmarc-fail` holds all the same. A chain that is broken gets
    no seal.

        - forward: {to: accounts@example.com, server: relay}
        - forward: {to: [a@example.com, b@example.com], mode: attach, from: robot@example.com, server: relay}
        - forward: {to: accounts@example.com, server: relay, on-dmarc-fail: keep}
        - forward: {to: "{{ recipient.local }}@example.net", allow: "*@example.net", server: relay}
    """

    word: ClassVar[str] = "forward"
    kind: ClassVar[Kind] = "act"
    main: ClassVar[str | None] = "to"

    to: Annotated[tuple[AddressTemplate, ...], OneOrMore] = Field(
        min_length=1, max_length=100, description="Recipients, each an effect of its own."
    )
    allow: Globs = Field(
        default=(), description="Globs over addresses; recipients that come from a message must match one."
    )
    server: str = Field(default="", description="One of `servers`; default: `defaults.server`.")
    reports: str = Field(
        default="",
        description="One of `servers`, for reports to senders of what nobody could deliver or keep; default: "
        "`defaults.server`, else `server`.",
    )
    mode: Mode = Field(default="redirect", description="As it is, attached, or readable in a message of ours.")
    from_: Annotated[str, AfterValidator(_address)] = Field(
        default="",
        alias="from",
        description="Our address in messages of ours and in Resent-From; default: `defaults.from`.",
    )
    srs: bool = Field(default=True, description="Rewrite the envelope's sender where postroom.yaml says how.")
    arc: bool = Field(default=False, description="Seal a `redirect` with the key of `arc` in postroom.yaml (ARC).")
    resent: bool = Field(default=False, description="Say in Resent-* fields who sent it on (`redirect`).")

    on_dmarc_fail: OnDmarcFail = Field(
        default="attach",
        alias="on-dmarc-fail",
        description="What becomes of a `redirect` that the next server would refuse by DMARC.",
    )

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if not self.allow and not all(one.constant for one in self.to):
            raise ValueError("a recipient that comes from a message needs `allow`, such as `*@example.com`")
        ours = "on_dmarc_fail" in self.model_fields_set and self.on_dmarc_fail in ("attach", "rewrite-from")
        if not self.from_ and (self.resent or self.mode != "redirect" or ours):
            raise ValueError("needs an address of ours: `from`, or `defaults: {from: …}` in postroom.yaml")
        return self

    def names(self) -> Iterator[Reference]:
        yield Reference("server", self.server)
        if self.reports:
            yield Reference("server", self.reports)
        if self.arc:
            yield Reference("setting", "arc")

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        sender = self._sender(view)
        failing = self._failing(view, tools)
        way = self.on_dmarc_fail if failing else "send"
        if way in ("attach", "rewrite-from") and not self.from_:
            way, failing = "keep", f"{failing}; there is no address of ours (`from`) to send it from"
        if way != "keep" and failing:
            yield Note(f"{alignment.DONE[way]}: {failing}")
        for recipient, refused in recipients(self.to, self.allow, view, tools):
            refused = refused or traces.loop(view.message, recipient, tools.seal)
            refused = refused or (failing if way == "keep" else "")
            if refused:
                yield Note(f"not forwarded: {refused}")
            yield ForwardEffect(
                to=recipient,
                server=self.server,
                reports=self.reports,
                mode="attach" if way == "attach" else self.mode,
                sender=sender,
                from_=self.from_,
                srs=self.srs,
                resent=self.resent,
                rewrites=way == "rewrite-from",
                seals=self.arc and self.mode == "redirect" and way != "attach",
                auth=view.facts.auth if self.arc else None,
                refused=refused,
            )

    def _failing(self, view: View, tools: Tools) -> str:
        """Why the next server would refuse it by DMARC; empty: it would not, or it is not to be asked."""
        if self.mode != "redirect" or self.on_dmarc_fail == "send":
            return ""
        fields = [redirect.received(tools.host, view.key, view.now), (traces.FIELD, "")]
        if self.resent:
            fields += redirect.resent(self.from_, "", view.key, tools.host, view.now)
        return alignment.failing(view, fields, tools)

    def _sender(self, view: View) -> str:
        if view.envelope.sender is not None:
            return view.envelope.sender
        known = redirect.return_path(view.message)
        return self.from_ if known is None else known
