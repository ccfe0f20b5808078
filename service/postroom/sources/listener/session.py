"""One conversation in LMTP or SMTP: what a client says, in its order, and what is answered (RFC 2033, RFC 5321)."""

import asyncio
from typing import Final

from postroom.sources.listener import commands, replies
from postroom.sources.listener.commands import Unacceptable
from postroom.sources.listener.content import Content
from postroom.sources.listener.data import Dots
from postroom.sources.listener.handover import handed_over
from postroom.sources.listener.mail import Mail
from postroom.sources.listener.stamp import Stamp, ulid
from postroom.sources.listener.terms import Terms
from postroom.sources.listener.wire import LONGEST, Ended, Silent, Stopping, Wire

_PATIENCE: Final = 100  # what a client has at first, and again after each message
_ERROR_COSTS: Final = 5
_CHATTER_COSTS: Final = 1  # commands that bring no mail
_MORE_THAN_ENOUGH: Final = 1 << 20  # octets above twice the largest message


class Session:
    """The server's side."""

    def __init__(self, wire: Wire, terms: Terms) -> None:
        self._wire = wire
        self._terms = terms
        self._desk = terms.desk
        self._client = ""  # as it called itself; empty: it did not yet
        self._extended = False  # it said LHLO or EHLO
        self._mail: Mail | None = None
        self._patience = _PATIENCE
        self._open = True

    async def converse(self) -> None:
        """Until the client leaves or has to. Raises nothing that a client can cause."""
        self._say(replies.greeting(self._desk.host, "LMTP" if self._terms.lmtp else "ESMTP"))
        try:
            while self._open:
                await self._hear(await self._wire.line())
                if self._patience <= 0:
                    self._leave(replies.TOO_MANY_ERRORS)
        except Silent:
            self._leave(replies.SILENT)
        except Stopping:
            self._leave(replies.STOPPING)
        except asyncio.CancelledError:
            self._leave(replies.STOPPING)
            raise
        except (Ended, OSError):
            pass  # it hung up, or cannot agree on TLS: there is nobody to tell
        finally:
            self._wire.close()

    async def _hear(self, line: bytes) -> None:
        try:
            if len(line) > LONGEST:
                raise Unacceptable(replies.LONG_LINE)
            if not line.endswith(b"\r\n"):
                raise Unacceptable(replies.BARE_LINE)
            verb, _, argument = line[:-2].partition(b" ")
            await self._obey(verb.upper(), argument)
        except Unacceptable as refusal:
            self._say(refusal.reply)
            self._patience -= _ERROR_COSTS

    async def _obey(self, verb: bytes, argument: bytes) -> None:
        match verb:
            case b"MAIL":
                self._begin(argument)
            case b"RCPT":
                self._add(argument)
            case b"DATA":
                _alone(argument)
                await self._data()
            case b"LHLO" if self._terms.lmtp:
                self._greet(argument, extended=True)
            case b"EHLO" | b"HELO" if not self._terms.lmtp:
                self._greet(argument, extended=verb == b"EHLO")
            case b"STARTTLS" if self._terms.tls is not None:
                _alone(argument)
                await self._encrypt()
            case b"RSET":
                _alone(argument)
                self._mail = None
                self._chat(replies.FINE)
            case b"NOOP":
                self._chat(replies.FINE)
            case b"VRFY":
                self._chat(replies.CANNOT_VERIFY if argument else replies.SYNTAX)
            case b"HELP":
                self._chat(replies.HELP)
            case b"QUIT":
                _alone(argument)
                self._leave(replies.BYE)
            case _:
                raise Unacceptable(replies.UNKNOWN_COMMAND)

    def _greet(self, argument: bytes, *, extended: bool) -> None:
        if not argument.strip():
            raise Unacceptable(replies.SYNTAX)
        self._client = argument.strip().decode("utf-8", "replace")
        self._mail = None
        self._extended = extended
        host = self._desk.host
        self._say(replies.offer(host, self._extensions()) if extended else replies.plain_offer(host))

    def _extensions(self) -> list[str]:
        offered = ["PIPELINING", "ENHANCEDSTATUSCODES", f"SIZE {self._desk.largest}", "8BITMIME", "SMTPUTF8"]
        if self._terms.tls is not None and not self._wire.encrypted:
            offered.append("STARTTLS")
        return offered

    async def _encrypt(self) -> None:
        assert self._terms.tls is not None
        if self._wire.encrypted:
            raise Unacceptable(replies.WRONG_ORDER)
        self._say(replies.READY_FOR_TLS)
        self._client, self._extended, self._mail = "", False, None
        await self._wire.encrypt(self._terms.tls, self._terms.hold)

    def _begin(self, argument: bytes) -> None:
        if not self._client or self._mail is not None:
            raise Unacceptable(replies.WRONG_ORDER)
        sender = commands.sender(argument)
        if sender.size > self._desk.largest:
            raise Unacceptable(replies.TOO_LARGE)
        self._mail = Mail(sender)
        self._say(replies.SENDER_FINE)

    def _add(self, argument: bytes) -> None:
        if self._mail is None:
            raise Unacceptable(replies.WRONG_ORDER)
        recipient = commands.recipient(argument, utf8=self._mail.sender.utf8)
        route = self._terms.routes.find(recipient)
        if route is None:
            # No error of a mail server, which may name a hundred of them; strangers in SMTP guess names.
            self._say(replies.UNKNOWN_RECIPIENT)
            self._patience -= 0 if self._terms.lmtp else _CHATTER_COSTS
        elif len(self._mail.recipients) >= self._terms.most_recipients:
            self._say(replies.TOO_MANY_RECIPIENTS)
        else:
            self._mail.recipients.append((recipient, route))
            self._say(replies.RECIPIENT_FINE)

    async def _data(self) -> None:
        if self._mail is None:
            raise Unacceptable(replies.WRONG_ORDER)
        if not self._mail.recipients:
            raise Unacceptable(replies.NO_RECIPIENTS)
        if not await self._terms.gate.enter(self._terms.hold):
            self._say(replies.NO_SPACE)
            return
        self._say(replies.GO_AHEAD)
        mail, self._mail = self._mail, None
        with Content(self._desk) as content:
            await self._receive(content)
            verdicts = await handed_over(mail, content, self._stamp(mail), self._terms)
        for verdict in verdicts if self._terms.lmtp else [max(verdicts, key=replies.code)]:
            self._say(verdict)
        self._patience = _PATIENCE

    async def _receive(self, content: Content) -> None:
        """To the final dot. What is too large is read all the same, within reason: there is no other way to say so."""
        dots = Dots()
        self._wire.receiving()
        while dots.rest is None:
            content.add(dots.feed(await self._wire.chunk()))
            if content.size > 2 * self._desk.largest + _MORE_THAN_ENOUGH:
                self._leave(replies.ENDLESS)
                raise Ended
        self._wire.push_back(dots.rest)

    def _stamp(self, mail: Mail) -> Stamp:
        now = self._terms.clock()
        return Stamp(
            sender=mail.sender.address,
            client=self._client,
            peer=self._wire.peer,
            host=self._desk.host,
            protocol=self._protocol(mail),
            id=ulid(now),
            at=now,
        )

    def _protocol(self, mail: Mail) -> str:
        name = "LMTP" if self._terms.lmtp else "ESMTP" if self._extended else "SMTP"
        if mail.sender.utf8:
            name = f"UTF8{name.removeprefix('E')}"
        return f"{name}S" if self._wire.encrypted else name

    def _chat(self, reply: bytes) -> None:
        self._say(reply)
        self._patience -= _CHATTER_COSTS

    def _leave(self, reply: bytes) -> None:
        self._say(reply)
        self._open = False

    def _say(self, reply: bytes) -> None:
        self._wire.say(reply)
        self._desk.replied(replies.code(reply))


def _alone(argument: bytes) -> None:
    if argument.strip():
        raise Unacceptable(replies.NO_PARAMETER)
