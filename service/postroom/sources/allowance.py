"""How many folders a source may make."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from postroom.errors import Temporary
from postroom.transports.maildir import NEW_FOLDERS


@dataclass(eq=False)
class Allowance:
    """How many folders may still be made today: names can come from messages."""

    clock: Callable[[], datetime]
    most: int = NEW_FOLDERS
    _day: date | None = None
    _made: int = 0

    def spend(self) -> None:
        """Raises Temporary where today's are used up."""
        today = self.clock().date()
        if self._day != today:
            self._day, self._made = today, 0
        if self._made >= self.most:
            raise Temporary(f"{self.most} new folders were made in this mailbox today; further ones wait for tomorrow")
        self._made += 1
