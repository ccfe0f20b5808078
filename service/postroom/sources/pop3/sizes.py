"""Whether an answer is all of a message and of one only: by the size that LIST told of it (RFC 1939 5)."""

from dataclasses import dataclass

_END = 2  # octets of the CRLF in front of the final dot, which not all count


@dataclass(slots=True)
class Sizes:
    """What is known of a server's sizes. Where one does not fit, either answers do not belong to their questions any
    more, and one message would be taken for another, or LIST is wrong: the message alone, on a connection of its own,
    tells which. `doubted`: that is to be found out. `exact`: LIST can be relied on."""

    exact: bool = True
    doubted: bool = False

    def fit(self, *, told: int, came: int, lines: int) -> bool:
        """Whether octets that came may be what was told; some servers count a line's end as one octet."""
        return not told or abs(came - told) <= lines + _END

    def answer(self, *, fits: bool) -> None:
        """How it was when a message came alone."""
        self.exact = self.exact and fits
        self.doubted = False
