"""The step `forward` in tests: a site with a server in memory."""

from typing import Any

from postroom import steps, testing
from postroom.pipeline.outcome import Effect, Receipt
from postroom.pipeline.outgoing import Mail
from postroom.pipeline.view import Envelope
from postroom.steps.forward import ForwardEffect
from postroom.testing import Names, Transport
from postroom.transports.srs import Srs

BOB = "bob@example.net"
SRS = Srs(domain="ours.example", secrets=[b"secret"])


class Site:
    """A server in memory, and what forwarding needs beside it."""

    def __init__(self, server: Transport | None = None, **tools: Any) -> None:
        self.server = server or Transport()
        self.tools = testing.tools(servers={"relay": self.server}, resolver=Names, **tools)

    def outcomes(self, raw: bytes | None = None, *, view: Any = None, **options: Any) -> list[Any]:
        step = steps.step("forward").model_validate({"to": BOB, "server": "relay", **options})
        return [*step.plan(view or testing.view(raw), self.tools)]

    def effects(self, raw: bytes | None = None, **options: Any) -> list[ForwardEffect]:
        found = [one for one in self.outcomes(raw, **options) if isinstance(one, Effect)]
        again = [steps.effect(one.word).model_validate_json(one.model_dump_json()) for one in found]
        assert again == found
        return [one for one in again if isinstance(one, ForwardEffect)]

    def forward(self, raw: bytes | None = None, *, letter: Any = None, **options: Any) -> Receipt:
        [effect] = self.effects(raw, **options)
        letter = letter or testing.letter(raw)
        receipt = effect.perform(letter, self.tools)
        if (known := receipt.remembered) is not None:  # as the worker does, in the commit of the receipt
            self.tools.memory.remember(known.space, known.key, letter.key, known.period)
        return receipt

    @property
    def mail(self) -> Mail:
        [mail] = self.server.sent
        return mail

    @property
    def content(self) -> bytes:
        return b"".join(self.mail.chunks)


def envelope(sender: str | None) -> Any:
    return testing.view(envelope=Envelope(sender=sender, recipients=("me@example.com",)))
