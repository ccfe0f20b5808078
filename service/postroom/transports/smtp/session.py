"""One conversation with a server: greeting, TLS, login, and one transaction after another (RFC 5321, RFC 2033).

Until the last octets of a message are handed over nothing is delivered, and trouble is temporary. From then on until
its answer is read nobody knows, and the recipients' replies say so.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, Self

from postroom.pipeline.outgoing import Mail, Reply, Tls
from postroom.transports.smtp.answers import Answer
from postroom.transports.smtp.authentication import log_in
from postroom.transports.smtp.content import measured, stuffed
from postroom.transports.smtp.envelope import Envelope
from postroom.transports.smtp.terms import Terms
from postroom.transports.smtp.trouble import Closing, Trouble
from postroom.transports.smtp.wire import Wire

EARLY: Final = 5.0  # seconds for what a server says before it hangs up on our message


class Session:
    """Raises Trouble, after which it is of no use. `tls`: how far the connection is protected."""

    def __init__(self, wire: Wire, terms: Terms) -> None:
        self.wire = wire
        self.tls: Tls = "none"
        self.used = 0  # transactions
        self._clean = True  # the last one ended with a message that was taken (RFC 5321 4.1.1.4)
        self._terms = terms
        self._offers: Mapping[str, str] = {}

    @classmethod
    def opened(cls, terms: Terms, address: str | None = None) -> Self:
        """A session that is ready for mail. Raises Trouble and Temporary."""
        made = cls(Wire.connected(terms, address), terms)
        try:
            made._begin()
        except BaseException:
            made.wire.close()
            raise
        return made

    def send(self, mail: Mail) -> dict[str, Reply]:
        """One transaction. Where this raises nobody got anything."""
        envelope = Envelope(mail, measured(mail.chunks), self._offers)
        told = envelope.refusal(self._terms.long_lines)
        if told is not None:
            return dict.fromkeys(mail.recipients, told)
        recipients = tuple(dict.fromkeys(mail.recipients))
        commands = [envelope.mail_from(), *(f"RCPT TO:<{one}>" for one in recipients), "DATA"]
        if not self._clean:
            commands.insert(0, "RSET")
        self.used += 1
        self._clean = False
        replies = self._transaction(commands, recipients, mail)
        self._clean = any(200 <= reply.code < 300 for reply in replies.values())
        return replies

    def quit(self) -> None:
        """End it in peace, and do not wait long for the answer."""
        with suppress(Trouble):
            self.wire.send([b"QUIT\r\n"])
        self.wire.close()

    # Greeting, TLS, login.

    def _begin(self) -> None:
        terms = self._terms
        if terms.encryption == "implicit":
            self.tls = "verified"
        _expected(self.wire.answer(), "greeting")
        self._hello()
        if terms.encryption in ("starttls", "opportunistic"):
            self._encrypt()
        if terms.credentials is not None:
            log_in(self.wire, terms.credentials, frozenset(self._offers.get("AUTH", "").upper().split()))

    def _encrypt(self) -> None:
        terms = self._terms
        if "STARTTLS" not in self._offers:
            if terms.encryption == "starttls":
                raise Trouble("the server does not offer STARTTLS: somebody may be in between")
            return
        _expected(self._said("STARTTLS"), "STARTTLS")
        self.wire.encrypt()
        self.tls = "verified" if terms.verify else "unverified"
        # What was offered before TLS was said by anybody (RFC 3207 4.2).
        self._hello()

    def _hello(self) -> None:
        answer = self._said(f"{'LHLO' if self._terms.lmtp else 'EHLO'} {self._terms.helo}")
        if answer.code in (500, 501, 502, 504) and not self._terms.lmtp:
            answer = self._said(f"HELO {self._terms.helo}")
            _expected(answer, "HELO")
            self._offers = {}
            return
        _expected(answer, "EHLO")
        self._offers = dict(_offer(line) for line in answer.lines[1:])

    def _said(self, command: str) -> Answer:
        self.wire.send([f"{command}\r\n".encode()])
        return self.wire.answer()

    # The transaction.

    def _transaction(self, commands: Sequence[str], recipients: Sequence[str], mail: Mail) -> dict[str, Reply]:
        answers = self._asked(commands)
        if commands[0] == "RSET":
            _expected(next(answers), "RSET")
        sender = next(answers)
        _leaving(sender)
        replies: dict[str, Reply] = {}
        for one in recipients:
            refused, phase = (sender, "MAIL") if sender.code >= 300 else (next(answers), "RCPT")
            if sender.code >= 300 and self._pipelined:
                next(answers)
            _leaving(refused)
            if refused.code >= 300:
                replies[one] = refused.reply(phase, self.tls)
        taken = [one for one in recipients if one not in replies]
        if not taken and not self._pipelined:
            return replies
        data = next(answers)
        if data.code != 354:
            _leaving(data)
            if data.code < 400 and taken:
                raise Trouble("the server does not understand DATA")
            return replies | dict.fromkeys(taken, data.reply("DATA", self.tls))
        if not taken:
            # It answers before it has seen that nobody is left: an empty message, which it refuses (RFC 2920 3.1).
            self.wire.send([b".\r\n"])
            self.wire.answer(self._terms.final)
            return replies
        return replies | self._content(taken, mail)

    @property
    def _pipelined(self) -> bool:
        return "PIPELINING" in self._offers

    def _asked(self, commands: Sequence[str]) -> "_Answers":
        return _Answers(self.wire, [f"{command}\r\n".encode() for command in commands], pipelined=self._pipelined)

    def _content(self, taken: Sequence[str], mail: Mail) -> dict[str, Reply]:
        try:
            self.wire.send(stuffed(mail.chunks))
        except Trouble as error:
            return self._early(taken, error)
        replies: dict[str, Reply] = {}
        # From here on it may have been delivered.
        for one in taken if self._terms.lmtp else taken[:1]:
            try:
                answer = self.wire.answer(self._terms.final)
            except Trouble as error:
                lost = Reply(code=0, text=str(error), phase="the final dot", tls=self.tls)
                self.wire.close()
                return dict.fromkeys(taken, lost) | replies
            if 300 <= answer.code < 400:
                replies[one] = Reply(code=0, text="the server gave no answer of this kind", phase="the final dot")
                continue
            replies[one] = answer.reply("the final dot", self.tls)
        return replies if self._terms.lmtp else dict.fromkeys(taken, replies[taken[0]])

    def _early(self, taken: Sequence[str], error: Trouble) -> dict[str, Reply]:
        """The message did not go out whole. A server that hangs up may have said why."""
        try:
            answer = self.wire.answer(EARLY)
        except Trouble:
            raise error from None
        if answer.code < 400:
            raise error
        self.wire.close()
        return dict.fromkeys(taken, answer.reply("the message", self.tls))


class _Answers:
    """Answers to a group of commands, which go out at once where the server can take that (RFC 2920)."""

    def __init__(self, wire: Wire, commands: Sequence[bytes], *, pipelined: bool) -> None:
        self._wire = wire
        self._commands = iter(commands)
        self._pipelined = pipelined
        if pipelined:
            wire.send([b"".join(commands)])

    def __next__(self) -> Answer:
        if not self._pipelined:
            self._wire.send([next(self._commands)])
        return self._wire.answer()


def _expected(answer: Answer, phase: str) -> None:
    if answer.code >= 300:
        raise Closing(f"the server says to {phase}: {answer}")


def _leaving(answer: Answer) -> None:
    if answer.code == 421:
        raise Closing(f"the server says: {answer}")


def _offer(line: str) -> tuple[str, str]:
    word, _, rest = line.strip().partition(" ")
    # Old servers write AUTH=LOGIN.
    if word.upper().startswith("AUTH="):
        return "AUTH", word[5:]
    return word.upper(), rest.strip()
