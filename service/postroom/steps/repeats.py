"""The memory of what was forwarded to whom: the same message, however it comes here, goes to a recipient once."""

import hashlib
from datetime import timedelta
from typing import Final

from postroom.pipeline.outcome import Letter, Remembered
from postroom.pipeline.tools import Memory

SPACE: Final = "forwarded"
PERIOD: Final = timedelta(days=1)


def known_as(letter: Letter, mode: str, to: str) -> Remembered:
    """What is to be remembered once it went."""
    headers = letter.message.headers
    names = [headers.get(name) or "" for name in ("Message-ID", "Date", "From")]
    if not names[0]:
        names.append(hashlib.sha256(b"".join(letter.chunks)).hexdigest())
    told = "\0".join([*names, mode, to.lower()])
    key = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
    return Remembered(space=SPACE, key=key, period=PERIOD)


def went_before(known: Remembered, letter: Letter, memory: Memory) -> bool:
    """Whether it went there: for another message, or by an earlier try of this one whose record was lost. A person who
    replays this one means it."""
    if not memory.recall(known.space, known.key):
        return False
    ours = memory.remember(known.space, known.key, letter.key, known.period)
    return letter.uncertain if ours else True
