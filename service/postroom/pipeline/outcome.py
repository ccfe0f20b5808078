"""What a step decides: facts, edits, effects, the place, and steering. Effects are what the worker does later."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from postroom.message import Edit, Message, parse
from postroom.model import Model
from postroom.pipeline.view import Envelope, Facts
from postroom.units import Duration

if TYPE_CHECKING:
    from postroom.pipeline.tools import Tools


@dataclass(frozen=True, slots=True)
class Fact:
    """A scanning step's result; laid over the facts that later steps and conditions see."""

    facts: Facts


@dataclass(frozen=True, slots=True)
class Edited:
    """One change of the message that later steps see. `target` is how explain and tests name it."""

    edit: Edit
    target: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the message is to end up; of several, the last wins."""

    place: Literal["kept", "moved", "gone"]
    folder: str = ""
    create: bool = True


@dataclass(frozen=True, slots=True)
class Copy:
    """One more copy in a folder of the home."""

    folder: str
    create: bool = True


@dataclass(frozen=True, slots=True)
class Flags:
    """Flags to add and remove, as IMAP writes them."""

    add: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Note:
    """A remark for the trace, without values from the message."""

    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """Go through another pipeline's rules here and now."""

    pipeline: str


@dataclass(frozen=True, slots=True)
class Stop:
    """End the whole plan, callers too (RFC 5228 stop)."""


class Remembered(Model):
    """A key that outlives the message, recorded together with the effect that it comes from."""

    space: str
    key: str
    period: Duration


class Receipt(Model):
    """What came of an effect: where it went, told without contents. `reply` is for the source (reject)."""

    detail: str = ""
    repeated: bool = False  # an earlier try had done it already
    reply: str = ""
    queue_id: str = ""  # what the next server calls the message
    tls: Literal["", "none", "unverified", "verified"] = ""  # how it went there
    remembered: Remembered | None = Field(default=None, exclude=True)


@dataclass(frozen=True, kw_only=True)
class Letter:
    """The message as an effect gets it: bytes with the edits up to its step, and the effect's own key."""

    key: str  # 26 characters of base32; names files so that a second try finds the first one's work
    chunks: Sequence[bytes | memoryview]  # joined, these are the message
    prefix: bytes = b""  # Return-Path, Received, Delivered-To that we add on top
    envelope: Envelope = field(default_factory=Envelope)
    mailbox: str
    received: datetime
    again: bool = True  # whether an earlier try may have done it
    uncertain: bool = False  # whether an earlier try has begun and nobody knows what came of it

    @cached_property
    def message(self) -> Message:
        """The edited message, parsed when an effect asks for it."""
        first = self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)
        return parse(first)

    @property
    def size(self) -> int:
        """Octets, prefix included."""
        return len(self.prefix) + sum(len(chunk) for chunk in self.chunks)


class Effect(Model):
    """One thing to do in the world; self-contained, stored as JSON; one subclass per word, beside its step.

    `repeatable`: a second try finds the first one's work by the letter's key and adds nothing; such an effect needs
    no record before it starts.
    """

    word: ClassVar[str]
    repeatable: ClassVar[bool] = True

    @property
    @abstractmethod
    def target(self) -> str:
        """What explain, tests and `show` print behind the word."""

    @property
    def delivers(self) -> bool:
        """Whether the message lives elsewhere once this is done, so that nobody needs to keep it."""
        return False

    @property
    def last(self) -> bool:
        """Whether it waits until all others are done (`remember`)."""
        return False

    def prepare(self, tools: "Tools") -> bool:
        """Whether it would not wait for a server to come up; else that begins to, and others have their turn first."""
        del tools
        return True

    @abstractmethod
    def perform(self, letter: Letter, tools: "Tools") -> Receipt:
        """Do it. Raises Temporary, Permanent or Uncertain; anything else counts as temporary."""


Outcome = Fact | Edited | Place | Copy | Flags | Note | Run | Stop | Effect
