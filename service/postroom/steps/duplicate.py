"""The step `duplicate` and its effect `remember`."""

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from postroom.errors import Held
from postroom.message import Message
from postroom.model import OneOrMore
from postroom.pipeline.outcome import Effect, Fact, Letter, Note, Outcome, Receipt
from postroom.pipeline.step import Kind, Step
from postroom.pipeline.tools import Reservation, Tools
from postroom.pipeline.view import Facts, View
from postroom.units import Duration

By = Literal["message-id", "from", "date", "subject", "body", "raw"]


class RememberEffect(Effect):
    """Writes down that a message with this key was dealt with; done last, and only when all else is done
    (RFC 7352 §3.1: a message that failed must not make its second try a duplicate)."""

    word: ClassVar[str] = "remember"

    space: str
    key: str
    holder: str
    period: Duration

    @property
    def target(self) -> str:
        return ""

    @property
    def last(self) -> bool:
        return True

    def perform(self, letter: Letter, tools: Tools) -> Receipt:
        new = tools.memory.remember(self.space, self.key, self.holder, self.period)
        return Receipt(detail="remembered" if new else "another message's is known already", repeated=not new)


class DuplicateStep(Step):
    """Says whether a message like this one was dealt with before: the field `duplicate` is true from the second on.
    Two messages are alike when all that `by` names is equal, case and all; one that lacks any of it is never a
    duplicate. What failed is not remembered, so its next try is not taken for a duplicate of itself.

        - duplicate
        - duplicate: {by: [message-id, from], for: 30d}
    """

    word: ClassVar[str] = "duplicate"
    kind: ClassVar[Kind] = "scan"

    by: Annotated[tuple[By, ...], OneOrMore] = Field(
        default=("message-id", "from", "date"), min_length=1, description="What makes two messages alike: all of these."
    )
    period: Duration = Field(default=timedelta(days=7), alias="for", description="How long a message is remembered.")

    def plan(self, view: View, tools: Tools) -> Iterator[Outcome]:
        if tools.given is not None and tools.given.duplicate is not None:
            yield Fact(Facts(duplicate=tools.given.duplicate))
            return
        key = self._key(view.message)
        if key is None:
            yield Note("not a duplicate: the message lacks a field that `by` names")
            yield Fact(Facts(duplicate=False))
            return
        space = spaces(view.mailbox) + " ".join(sorted(set(self.by)))
        match tools.memory.reserve(space, key, view.key, self.period):
            case Reservation.KNOWN:
                yield Fact(Facts(duplicate=True))
            case Reservation.HELD:
                raise Held("a message like this one is being dealt with")
            case Reservation.FREE:
                yield Fact(Facts(duplicate=False))
                yield RememberEffect(space=space, key=key, holder=view.key, period=self.period)

    def gives(self) -> frozenset[str]:
        return frozenset({"duplicate"})

    def _key(self, message: Message) -> str | None:
        """A hash, because the memory outlives the message and is to hold nothing of it."""
        values = [_value(message, name) for name in sorted(set(self.by))]
        if not all(values):
            return None
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def spaces(mailbox: str) -> str:
    """How those of the memory begin that hold messages of the mailbox."""
    return f"duplicate {mailbox} "


def _value(message: Message, name: By) -> str:
    match name:
        case "message-id":
            return message.message_id or ""
        case "from":
            return " ".join(address.spec for address in message.from_)
        case "date":
            return message.date.isoformat() if message.date else ""
        case "subject":
            return message.subject or ""
        case "body":
            return message.body or ""
        case "raw":
            return hashlib.sha256(message.raw).hexdigest()
