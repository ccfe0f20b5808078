"""What a batch of messages will be remembered for, before that is in the ledger."""

from datetime import timedelta

from postroom.pipeline.outcome import Remembered
from postroom.pipeline.tools import Memory, Reservation


class Recent:
    """The memory as a batch sees it: with what its own effects will be remembered for, in a commit to come."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._fresh: dict[tuple[str, str], str] = {}

    def add(self, what: Remembered, holder: str) -> None:
        self._fresh[what.space, what.key] = holder

    def reserve(self, space: str, key: str, holder: str, period: timedelta) -> Reservation:
        return self._memory.reserve(space, key, holder, period)

    def remember(self, space: str, key: str, holder: str, period: timedelta) -> bool:
        known = self._fresh.get((space, key))
        return self._memory.remember(space, key, holder, period) if known is None else known == holder

    def recall(self, space: str, key: str) -> bool:
        return (space, key) in self._fresh or self._memory.recall(space, key)
