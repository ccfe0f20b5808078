"""SpamAssassin's spamd: SPAMC/1.5 with SYMBOLS."""

import re
from typing import Final

from postroom.errors import Temporary
from postroom.pipeline.tools import Scanner
from postroom.pipeline.view import Spam, View
from postroom.transports.scanner import Line, away

SYMBOLS: Final = 200
_STATUS: Final = re.compile(rb"SPAMD/\d\.\d (\d{1,3}) \S{1,40}\s")
_SPAM: Final = re.compile(
    rb"^Spam: (True|False|Yes|No) ; (-?\d{1,6}(?:\.\d{1,6})?) / -?\d{1,6}(?:\.\d{1,6})?\s*$",
    re.MULTILINE | re.IGNORECASE,
)
_SYMBOL: Final = re.compile(r"\w{1,100}", re.ASCII)


def ask(scanner: Scanner, view: View) -> Spam:
    """Raises Temporary."""
    with away("spamd"):
        with Line.to(scanner.url, scanner.timeout) as line:
            line.sendall(b"SYMBOLS SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % view.message.size)
            line.sendall(memoryview(view.message.raw))
            answer = line.rest()
        return _read(answer)


def _read(answer: bytes) -> Spam:
    head, blank, body = answer.partition(b"\r\n\r\n")
    status, spam = _STATUS.match(head), _SPAM.search(head)
    if status is not None and status[1] != b"0":
        raise Temporary(f"it answers with the code {int(status[1])}")
    if status is None or spam is None or not blank:
        raise Temporary("what it answers cannot be understood")
    words = (word.strip() for word in body.decode("latin-1").split(","))
    return Spam(
        score=float(spam[2]),
        verdict="spam" if spam[1].lower() in (b"true", b"yes") else "ham",
        symbols=tuple(word for word in words if _SYMBOL.fullmatch(word) and word.lower() != "none")[:SYMBOLS],
    )
