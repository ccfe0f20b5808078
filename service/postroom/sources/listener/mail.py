"""A transaction: what a client has said since MAIL."""

from dataclasses import dataclass, field

from postroom.message.address import Address
from postroom.sources.listener.commands import Sender
from postroom.sources.listener.routing import Route


@dataclass(frozen=True, slots=True)
class Way:
    """Recipients that share a message, each with its place among all."""

    route: Route
    addresses: tuple[str, ...]
    places: tuple[int, ...]


@dataclass(slots=True)
class Mail:
    """Sender and accepted recipients in their order; one who was named twice stands here twice."""

    sender: Sender
    recipients: list[tuple[Address, Route]] = field(default_factory=list)

    def ways(self, *, whole: bool) -> list[Way]:
        """One for each recipient; `whole`: one for all that go the same way."""
        if not whole:
            return [Way(route, (one.spec,), (place,)) for place, (one, route) in enumerate(self.recipients)]
        shared: dict[Route, list[int]] = {}
        for place, (_, route) in enumerate(self.recipients):
            shared.setdefault(route, []).append(place)
        return [
            Way(route, tuple(self.recipients[place][0].spec for place in places), tuple(places))
            for route, places in shared.items()
        ]
