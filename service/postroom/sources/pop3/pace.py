"""When a server is visited next: not before it allows, not together with others, and less often in trouble."""

import random
from dataclasses import dataclass

FIRST, LONGEST = 2.0, 600.0  # seconds after a lost connection
REFUSED_FIRST, REFUSED_LONGEST = 300.0, 3600.0  # after a refused login: people mend that, and servers count


@dataclass(slots=True)
class Pace:
    """`poll`, `delay`: seconds between visits, as the settings wish and as the server demands (LOGIN-DELAY)."""

    poll: float
    delay: float = 0.0
    losses: int = 0
    refusals: int = 0

    def after_visit(self, *, more: bool) -> float:
        """How long to wait after a visit that went well; `more`: not all was brought in."""
        self.losses = self.refusals = 0
        return max(0.0 if more else _jittered(self.poll), self.delay)

    def after_loss(self) -> float:
        """After a connection that was lost, or a mailbox that was not to be had for now."""
        self.losses += 1
        return max(_jittered(min(FIRST * 2 ** min(self.losses - 1, 16), LONGEST)), self.delay)

    def after_refusal(self) -> float:
        """After a login that was refused."""
        self.refusals += 1
        return max(_jittered(min(REFUSED_FIRST * 2 ** min(self.refusals - 1, 16), REFUSED_LONGEST)), self.delay)


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(1, 1.1)  # noqa: S311 - only so that not all come at once
