"""In which order the messages of a batch have their turn, and which of them share commits."""

from collections.abc import Iterator, Sequence
from time import monotonic, sleep
from typing import Final

from postroom.errors import PostroomError
from postroom.pipeline.tools import Tools
from postroom.work.job import Job

GROUP: Final = 16  # messages whose unrepeatable effects are recorded as begun in one commit
MOMENT: Final = 0.25  # seconds in which servers come up that do not hang
LOOK: Final = 0.002


def groups(jobs: Sequence[Job], tools: Tools) -> Iterator[list[Job]]:
    """All that can be repeated at once; the rest in small groups: of these a crash leaves some that may have been
    done. Mail to servers that are still to be reached comes last, where it holds up no other."""
    yield [job for job in jobs if not job.risks]
    rest = [job for job in jobs if job.risks]
    _wait_for_one(rest, tools)
    while rest:
        group = (_ready(rest, tools) or rest)[:GROUP]
        yield group
        gone = set(map(id, group))
        rest = [job for job in rest if id(job) not in gone]


def _wait_for_one(jobs: Sequence[Job], tools: Tools) -> None:
    """Until a server is there that mail can go to: where all are called for the first time, one of them may hang."""
    end = monotonic() + MOMENT
    while len(jobs) > 1 and not _ready(jobs, tools) and monotonic() < end:
        sleep(LOOK)


def _ready(jobs: Sequence[Job], tools: Tools) -> list[Job]:
    """Those that would not wait for a server to come up; the servers of the others begin to."""
    return [job for job in jobs if not _waits(job, tools)]


def _waits(job: Job, tools: Tools) -> bool:
    try:
        return False in [task.effect.prepare(tools) for task in job.risks]  # and each is asked
    except PostroomError:
        return False  # it fails at once
