"""The bounds of one method and one message: it may cost so much time and so many questions, and no more."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, Literal, TypeVar

from postroom.errors import Temporary
from postroom.pipeline.resolving import Found, Mx, Resolver

T = TypeVar("T")
SECONDS: Final = 8.0
QUESTIONS: Final = 200


@dataclass
class Bounded:
    """A resolver that stops answering once the time or the questions of a message are used up."""

    resolver: Resolver
    until: float = field(default_factory=lambda: monotonic() + SECONDS)
    left: int = QUESTIONS

    def texts(self, name: str) -> Found[bytes]:
        return self._asked(self.resolver.texts, name)

    def addresses(self, name: str, kind: Literal["A", "AAAA"]) -> Found[str]:
        return self._asked(lambda asked: self.resolver.addresses(asked, kind), name)

    def exchangers(self, name: str) -> Found[Mx]:
        return self._asked(self.resolver.exchangers, name)

    def names(self, address: str) -> Found[str]:
        return self._asked(self.resolver.names, address)

    def check(self) -> None:
        """Raises Temporary where the time is over."""
        if monotonic() > self.until:
            raise Temporary("the time for one message is used up")

    def _asked(self, ask: Callable[[str], T], name: str) -> T:
        self.check()
        self.left -= 1
        if self.left < 0:
            raise Temporary("the questions for one message are used up")
        return ask(name)
