"""Sets of UIDs as commands and COPYUID write them: `1:3,7`."""

from collections.abc import Collection, Iterator

HIGHEST = 2**32 - 1
# RFC 2683 3.2.1.5: a command line of at most 1000 octets.
LINE = 800


def written(uids: Collection[int]) -> Iterator[tuple[list[int], str]]:
    """The UIDs in order, in pieces that each fit into a command line."""
    piece: list[int] = []
    text = ""
    for low, high in _runs(sorted(set(uids))):
        run = f"{low}:{high}" if high > low else f"{low}"
        if piece and len(text) + len(run) >= LINE:
            yield piece, text
            piece, text = [], ""
        piece.extend(range(low, high + 1))
        text = f"{text},{run}" if text else run
    if piece:
        yield piece, text


def _runs(uids: list[int]) -> Iterator[tuple[int, int]]:
    start = 0
    for at in range(1, len(uids) + 1):
        if at == len(uids) or uids[at] != uids[at - 1] + 1:
            yield uids[start], uids[at - 1]
            start = at


def read(text: bytes, *, limit: int) -> list[int] | None:
    """The UIDs in the order written; None where it is no set, or one of more than `limit`."""
    uids: list[int] = []
    for part in text.split(b","):
        low, colon, high = part.partition(b":")
        if not low.isdigit() or (colon and not high.isdigit()):
            return None
        first, last = sorted((int(low), int(high or low)))
        if last > HIGHEST or last - first >= limit - len(uids):
            return None
        uids.extend(range(first, last + 1))
    return uids
