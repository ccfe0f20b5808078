"""All methods, asked of one message."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from postroom.authentication import arc, dkim, dmarc, spf
from postroom.authentication.bounds import Bounded
from postroom.authentication.dmarc import Policy
from postroom.authentication.signed import Signed
from postroom.authentication.verdict import Verdict
from postroom.pipeline.resolving import Resolver
from postroom.pipeline.view import Auth, AuthResult, View


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What was found, method by method."""

    dkim: tuple[Verdict, ...]
    spf: Verdict
    dmarc: Verdict
    arc: Verdict
    policy: Policy | None

    @property
    def auth(self) -> Auth:
        return Auth(
            dkim=_best(self.dkim), spf=self.spf.result, dmarc=self.dmarc.result, arc=self.arc.result, policy=self.policy
        )

    @property
    def unanswered(self) -> bool:
        """Whether any result may be another once the DNS answers."""
        return any(one.result == "temperror" for one in (*self.dkim, self.spf, self.dmarc, self.arc))

    def told(self) -> Iterator[str]:
        """A line for each, without values from the message."""
        for number, one in enumerate(self.dkim, 1):
            yield f"dkim, signature {number}: {one.result} ({one.reason})"
        if not self.dkim:
            yield "dkim: none (there is no signature)"
        for method, one in (("spf", self.spf), ("dmarc", self.dmarc), ("arc", self.arc)):
            yield f"{method}: {one.result} ({one.reason})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """How the message came: the client's address and greeting, the envelope's sender; each empty where unknown."""

    address: str = ""
    helo: str = ""
    sender: str | None = None


def examine(view: View, came: Came, resolver: Resolver) -> Examined:
    """Never raises on what a message or the DNS holds. Raises Temporary where no resolver can be had.

    Each method has a time of its own: else a stranger's slow domain, asked by one, would hide what another finds.
    """
    bounded = Bounded(resolver)
    signed = Signed(view.message, bounded)
    near = partial(dmarc.is_near, view.message)
    signatures = tuple(one for _, one in sorted(dkim.verify(signed, bounded, view.received, near)))
    if not came.address or came.sender is None:
        path = Verdict("none", f"the {'envelope' if came.address else 'client'} is unknown")
    else:
        path = spf.check(came.address, came.helo, came.sender, Bounded(resolver))
    shown, policy = dmarc.verify(view.message, path, signatures, Bounded(resolver), view.key)
    chain = arc.verify(signed, Bounded(resolver))
    return Examined(dkim=signatures, spf=path, dmarc=shown, arc=chain, policy=policy)


def _best(verdicts: Sequence[Verdict]) -> AuthResult:
    """One that passed speaks for all; one that nobody could ask about may yet pass."""
    results = [one.result for one in verdicts]
    for result in ("pass", "temperror"):
        if result in results:
            return result
    return results[0] if results else "none"
