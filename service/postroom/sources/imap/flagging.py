"""Flags and keywords: only what differs from what was read just before is added or taken away."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from postroom.errors import PostroomError
from postroom.sources.imap.acts import Act, Stay
from postroom.sources.imap.jobs import Job, fail
from postroom.sources.imap.moving import Mover
from postroom.sources.losses import Lost

SEEN = "\\Seen"
# RFC 3501 9: an atom, or a system flag.
_FLAG = re.compile(r"\\?[^\s\x00-\x1f\x7f-\U0010ffff(){%*\"\\\]]+")


async def flag(jobs: Iterable[Job], acts: Mapping[int, Act], mover: Mover) -> None:
    """Give all of them the flags that they are to have. Raises Lost."""
    groups: dict[tuple[str, frozenset[str]], list[Job]] = defaultdict(list)
    for job in jobs:
        for sign, flags in _changes(job, acts[job.uid], mover):
            groups[sign, flags].append(job)
    for (sign, flags), changed in groups.items():
        try:
            await mover.store([job.uid for job in changed], sign, flags)
        except Lost:
            raise
        except PostroomError as error:
            fail(changed, error)


def _changes(job: Job, act: Act, mover: Mover) -> Iterable[tuple[str, frozenset[str]]]:
    has = {flag.lower() for flag in job.flags}
    wanted = job.work.add | ({SEEN} if isinstance(act, Stay) and act.seen else set())
    missing = (flag for flag in wanted if flag.lower() not in has)
    add = frozenset(flag for flag in missing if _FLAG.fullmatch(flag) and mover.selected.can_store(flag))
    remove = frozenset(flag for flag in job.work.remove if flag.lower() in has)
    return [(sign, flags) for sign, flags in (("+", add), ("-", remove)) if flags]
