"""What we filed into a Maildir that we watch is no new mail: its name holds the key of the effect that filed it."""

import re
from collections.abc import Collection

from postroom.sources import Desk

HOPS = 10  # Maildirs that a message may go through, each watched, until it is back
AT_ONCE = 1000  # that the ledger is asked about
_KEY = re.compile(r"(?:^|\.)([a-z2-7]{26})(?=\.|$)")


def effect_in(name: str) -> str | None:
    """The key that a name of ours holds."""
    found = _KEY.search(name)
    return found[1] if found else None


async def own(desk: Desk, names: Collection[str]) -> frozenset[str]:
    """Those that rules made of a message of this very mailbox, or of what another mailbox's rules had made of one: they
    would go round for ever."""
    keys = [(name, key) for name in names if (key := effect_in(name))]
    ours: set[str] = set()
    for start in range(0, len(keys), AT_ONCE):
        ours |= await _own(desk, dict(keys[start : start + AT_ONCE]))
    return frozenset(ours)


async def _own(desk: Desk, keys: dict[str, str]) -> set[str]:
    ours: set[str] = set()
    for _ in range(HOPS):
        if not keys:
            break
        known = await desk.origins(frozenset(keys.values()))
        origins = {name: known[key] for name, key in keys.items() if key in known}
        ours |= {name for name, origin in origins.items() if origin.mailbox == desk.mailbox}
        before = {name: effect_in(origin.source_key) for name, origin in origins.items() if name not in ours}
        keys = {name: key for name, key in before.items() if key is not None}
    return ours
