"""Mail data on the wire (RFC 5321 4.1.1.4, 4.5.2): where they end, and the dots that were put in front of lines."""

import re
from typing import Final

END: Final = b"\r\n.\r\n"
_DOTTED: Final = re.compile(rb"\r\n\.")


class Dots:
    """Takes mail data in any pieces and gives the message, without what transparency added.

    Only CRLF.CRLF ends them, and only a dot behind CRLF was put in. A bare LF or CR is an octet like any other: that
    two servers read it differently is what SMTP smuggling lives on (CVE-2023-51764).
    """

    def __init__(self) -> None:
        self._held = END[:2]  # the line before the first is the DATA command's own
        self._fresh = True
        self.rest: bytes | None = None  # what came behind the end; None: it has not come yet

    def feed(self, chunk: bytes) -> bytes:
        """What of the message is certain now."""
        octets = self._held + chunk
        dotted = _DOTTED.search(octets) is not None  # much faster than bytes.find(), and mostly all there is to do
        end = octets.find(END) if dotted else -1
        if end >= 0:
            self.rest = octets[end + len(END) :]
            self._held, octets = b"", octets[: end + 2]
        else:
            certain = len(octets) - _beginning(octets)
            self._held, octets = octets[certain:], octets[:certain]
        plain = octets.replace(b"\r\n.", b"\r\n") if dotted else octets
        if self._fresh and octets:
            # The CRLF in front: a line's first dot is found by it.
            self._fresh = False
            return plain[2:]
        return plain


def _beginning(octets: bytes) -> int:
    """How many of the last octets may be the beginning of the end."""
    return next(length for length in (4, 3, 2, 1, 0) if octets.endswith(END[:length]))
