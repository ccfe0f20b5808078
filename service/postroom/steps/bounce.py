"""The effect `bounce`: what a pure relay tells a sender whose message went nowhere (RFC 3464).

No step names it. The worker makes one where forwarding failed for good, or nobody heard that the message is rejected,
and nothing was delivered or kept. It goes only to a sender for whom somebody stands (`steps.voucher`): to anybody else
it would be spam of our making.
"""

import re
from collections.abc import Iterable, Sequence
from email.utils import format_datetime
from typing import ClassVar

from postroom.errors import Uncertain
from postroom.message import Message
from postroom.message.folding import encode_header
from postroom.model import Model
from postroom.pipeline.outcome import Effect, Letter, Receipt
from postroom.pipeline.outgoing import Mail
from postroom.pipeline.tools import Tools
from postroom.steps.forward import ForwardEffect
from postroom.steps.reject import RejectEffect
from postroom.steps.voucher import vouched

_STATUS = re.compile(r"\b5\.\d{1,3}\.\d{1,3}\b")
_HEADERS = 16 * 1024  # octets of the original's header that go back
_LONGEST = 900  # of a line
_LONG = re.compile(rf"[^\r\n]{{{_LONGEST},}}")


class Failure(Model):
    """One recipient, and why it failed."""

    recipient: str
    reason: str

    @property
    def fields(self) -> Sequence[tuple[str, str]]:
        """As a delivery status has them, with the enhanced status code in the reason (RFC 3464 2.3, RFC 3463)."""
        found = _STATUS.search(self.reason)
        return [
            ("Final-Recipient", f"rfc822; {self.recipient}"),
            ("Action", "failed"),
            ("Status", found[0] if found else "5.0.0"),
            ("Diagnostic-Code", f"smtp; {self.reason}"),
        ]


class BounceEffect(Effect):
    """One report, sent from `<>`; recorded before it starts, as `forward` is."""

    word: ClassVar[str] = "bounce"
    repeatable: ClassVar[bool] = False

    to: str
    server: str
    failures: tuple[Failure, ...]

    @property
    def target(self) -> str:
        return self.to

    def prepare(self, tools: Tools) -> bool:
        return tools.servers[self.server].prepare()

    def perform(self, letter: Letter, tools: Tools) -> Receipt:
        silence = self._silence(letter, tools)
        if silence:
            return Receipt(detail=f"nobody is told: {silence}")
        transport = tools.servers[self.server]
        if letter.uncertain:
            return Receipt(detail="it may have been sent, and is not sent twice")
        mail = Mail(sender="", recipients=(self.to,), chunks=self.report(letter, tools), key=letter.key)
        reply = transport.send(mail)[self.to]
        tools.replied(self.server, reply.code)
        try:
            reply.check()
        except Uncertain:
            return Receipt(detail="it may have been sent, and is not sent twice")
        return Receipt(detail=str(reply), queue_id=reply.queue_id, tls=reply.tls)

    def _silence(self, letter: Letter, tools: Tools) -> str:
        """Why the sender must not hear of it; empty: it may."""
        message = letter.message
        if not self.to:
            return "the sender is <>"
        if message.is_bounce or message.is_auto_submitted or message.is_bulk or message.list_id:
            return "a program or a list sent it"
        if not vouched(letter, self.to, tools):
            return "nothing proves that the sender is who it says"
        return ""

    def report(self, letter: Letter, tools: Tools) -> Sequence[bytes]:
        """The whole message."""
        boundary = f"=_{letter.key}"
        head = [
            ("From", f"Mail Delivery System <MAILER-DAEMON@{tools.host}>"),
            ("To", self.to),
            ("Subject", "Undelivered mail returned to sender"),
            ("Date", format_datetime(tools.clock())),
            ("Message-ID", f"<{letter.key.lower()}.bounce@{tools.host}>"),
            ("Auto-Submitted", "auto-replied"),
            ("MIME-Version", "1.0"),
            ("Content-Type", f'multipart/report; report-type=delivery-status; boundary="{boundary}"'),
        ]
        parts = [
            ("text/plain; charset=us-ascii", self._text(tools.host)),
            ("message/delivery-status", self._status(letter, tools.host)),
            ("text/rfc822-headers", _header(letter.message)),
        ]
        made = [_fields(head), b"\r\n"]
        for kind, content in parts:
            made += [f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n".encode(), content, b"\r\n"]
        return [*made, f"--{boundary}--\r\n".encode()]

    def _text(self, host: str) -> bytes:
        told = "".join(f"<{one.recipient}>:\r\n    {one.reason}\r\n" for one in self.failures)
        return _plain(f"This is the mail system at {host}. Your message could not be delivered to:\r\n\r\n{told}")

    def _status(self, letter: Letter, host: str) -> bytes:
        about = [("Reporting-MTA", f"dns; {host}"), ("Arrival-Date", format_datetime(letter.received))]
        blocks = [_fields(about), *(_fields(one.fields) for one in self.failures)]
        return b"\r\n".join(blocks)


def bounce_of(died: Iterable[tuple[Effect, str]], sender: str, recipients: Sequence[str]) -> BounceEffect | None:
    """For effects that failed for good, with why; None: there is nothing to tell. `recipients`: of the message."""
    server, failures = "", []
    for effect, error in died:
        match effect:
            case ForwardEffect() if effect.to:
                failures.append(Failure(recipient=effect.to, reason=error))
                server = server or effect.reports or effect.server
            case RejectEffect() if effect.reports:
                failures += [Failure(recipient=one, reason=f"550 {effect.target}") for one in recipients]
                server = server or effect.reports
    return BounceEffect(to=sender, server=server, failures=tuple(failures)) if failures else None


def _header(message: Message) -> bytes:
    octets = bytes(memoryview(message.raw)[message.header_start : message.body_start])[:_HEADERS]
    return _plain(octets.decode("ascii", "replace"))


def _plain(text: str) -> bytes:
    """What every server takes: ASCII, in lines that are not too long."""
    return _LONG.sub(lambda line: line[0][:_LONGEST], text).encode("ascii", "replace")


def _fields(fields: Sequence[tuple[str, str]]) -> bytes:
    return b"".join(encode_header(name, value, b"\r\n") for name, value in fields)
