"""What conditions and steps see of a message: the view and the facts that earlier steps added."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

from pydantic import Field, JsonValue

from postroom.message import Message
from postroom.model import Model, TextSet

if TYPE_CHECKING:
    from postroom.pipeline.outcome import Effect

JsonObject = dict[str, JsonValue]


class Envelope(Model):
    """Sender and recipients as the transport knew them. A sender of "" is `<>`; None: the source knew none."""

    sender: str | None = None
    recipients: tuple[str, ...] = ()


class Spam(Model):
    """What a spam scanner said."""

    score: float | None = Field(default=None, description="The higher, the more it looks like spam.")
    verdict: Literal["spam", "ham", "unsure"] | None = Field(default=None, description="What it is taken for.")
    symbols: tuple[str, ...] = Field(default=(), description="Names of the tests that it met.")


AuthResult = Literal["pass", "fail", "softfail", "neutral", "none", "policy", "temperror", "permerror"]


class Auth(Model):
    """What is known of who sent it, in the words of RFC 8601; what nobody has said is unknown."""

    dkim: AuthResult | None = Field(default=None, description="Whether a signature of any domain is sound.")
    spf: AuthResult | None = Field(
        default=None, description="Whether the envelope sender's domain lets the client send."
    )
    dmarc: AuthResult | None = Field(
        default=None, description="Whether one of both speaks for the domain that the From field shows."
    )
    arc: AuthResult | None = Field(default=None, description="Whether the chain of those who passed it on is whole.")
    policy: Literal["none", "quarantine", "reject"] | None = Field(
        default=None, description="What that domain asks for where `dmarc` is `fail`."
    )


class Virus(Model):
    """What a virus scanner said."""

    found: bool = Field(description="Whether there is one.")
    names: tuple[str, ...] = Field(default=(), description="What the scanner calls them.")


class Facts(Model):
    """What scanning steps found; questions about what none of them has said are unknown."""

    spam: Spam | None = Field(default=None, description="What the step `spam` found.")
    auth: Auth | None = Field(default=None, description="What the step `authenticate` found.")
    virus: Virus | None = Field(default=None, description="What the step `virus` found.")
    duplicate: bool | None = Field(default=None, description="Whether a message like it was seen before.")
    tags: TextSet = Field(default=frozenset(), description="Tags that steps put on it.")
    script: Mapping[str, JsonObject] = Field(default={}, description="What scripts answered, by their names.")

    def joined(self, other: Self) -> Self:
        """These facts with `other` laid over: tags and scripts accumulate, the rest is replaced where given."""
        return self.model_copy(
            update={
                "spam": other.spam if other.spam is not None else self.spam,
                "auth": other.auth if other.auth is not None else self.auth,
                "virus": other.virus if other.virus is not None else self.virus,
                "duplicate": other.duplicate if other.duplicate is not None else self.duplicate,
                "tags": self.tags | other.tags,
                "script": {**self.script, **other.script},
            }
        )


class Home(Protocol):
    """Where keep, move, copy and flag of a mailbox act (DESIGN: home)."""

    def deliver(
        self, word: Literal["keep", "move", "copy"], folder: str, flags: frozenset[str], *, create: bool
    ) -> "Effect | None":
        """The worker's effect that puts the message into `folder` ("" is the inbox) with these flags; None where
        the watcher does it in the source, at settlement, or where the caller takes what is kept."""
        ...

    def holds(self, flag: str) -> bool:
        """Whether a message there can carry this flag or keyword."""
        ...


@dataclass(frozen=True, kw_only=True)
class View:
    """One message as rules see it. Frozen: facts, edits and matches give a new view.

    `timezone` and `match_limit` are set by the planner from its tools. `memo` holds what conditions worked out from
    this message, so that a thousand rules decode a subject once; a view of another message starts with an empty one.
    """

    message: Message
    envelope: Envelope
    mailbox: str
    key: str  # stable name of this message: derives from mailbox and source key, the same when planned again
    home: Home
    received: datetime  # ours: when the message arrived; aware
    now: datetime  # aware
    folder: str = ""
    flags: frozenset[str] = frozenset()
    prefix: bytes = b""  # fields that we wrote on top; the message does not hold them
    facts: Facts = field(default_factory=Facts)
    match: Mapping[str, str] = field(default_factory=dict)  # named groups of this rule's `when`
    timezone: tzinfo = UTC  # in which days, times and weekdays are meant
    match_limit: int = 1_000_000  # octets of a body that patterns see
    memo: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def placed(self, zone: tzinfo, match_limit: int) -> "View":
        """As the planner's tools say it is to be read."""
        return self._with(timezone=zone, match_limit=match_limit)

    def learning(self, facts: Facts) -> "View":
        return self._with(facts=self.facts.joined(facts))

    def showing(self, message: Message) -> "View":
        return self._with(message=message, memo={})

    def showing_later(self, look: Callable[[], Message]) -> "View":
        """A view of a message that is made when somebody first looks at it: an edit nobody looks at costs nothing.

        `look` may be called by several views and has to give the same message each time.
        """
        view = self._with(memo={}, _look=look)
        view.__dict__.pop("message", None)
        return view

    def matching(self, match: Mapping[str, str]) -> "View":
        return self._with(match=match)

    def __getattr__(self, name: str) -> Any:
        # Reached only while the instance has no such attribute: a message that nobody has looked at so far.
        if name != "message" or "_look" not in self.__dict__:
            raise AttributeError(name)
        message = self.__dict__["message"] = self.__dict__["_look"]()
        return message

    def _with(self, **changes: Any) -> "View":
        # Not dataclasses.replace: that would look at the message.
        view = object.__new__(View)
        view.__dict__.update(self.__dict__, **changes)
        return view
