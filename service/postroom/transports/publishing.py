"""Files become durable and get their names: one at once, or many together, which costs the disk far less.

Written, fsynced, renamed, and then the directory fsynced: whoever sees the name finds the whole file, also after a
power failure. Together, each of these steps is taken for all files before the next, a directory is synced once, and
many wait for the disk at a time: a file system's journal takes all that wait with one write.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Generic, TypeVar

from postroom.transports.files import sync_directory

Publish = Callable[[int, str, str], None]
"""Takes an open file, its temporary path and the path that it is to have; closes it. Raises OSError."""
MOST = 200  # files kept open
WAITING = 8  # threads that wait for the disk
T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")


def publish(descriptor: int, temporary: str, path: str) -> None:
    """At once."""
    try:
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        # What this could replace has the same key: the same message.
        os.rename(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_directory(os.path.dirname(path))


@dataclass(slots=True)
class _Waiting(Generic[T]):
    owner: T
    descriptor: int
    temporary: str
    path: str
    error: OSError | None = None

    @property
    def directory(self) -> str:
        return os.path.dirname(self.path)

    def sync(self) -> None:
        try:
            os.fsync(self.descriptor)
        except OSError as error:
            self.error = error
        finally:
            os.close(self.descriptor)

    def rename(self) -> None:
        try:
            if self.error is None:
                os.rename(self.temporary, self.path)
        except OSError as error:
            self.error = error
        if self.error is not None:
            with suppress(OSError):
                os.unlink(self.temporary)


class Together(Generic[T]):
    """Files of several owners. `owner` is whose files come next; `failed` hears whose could not be published."""

    def __init__(self, failed: Callable[[T, OSError], None]) -> None:
        self.owner: T | None = None
        self._failed = failed
        self._waiting: list[_Waiting[T]] = []

    def publish(self, descriptor: int, temporary: str, path: str) -> None:
        """Later, with the others."""
        assert self.owner is not None
        self._waiting.append(_Waiting(self.owner, descriptor, temporary, path))

    @property
    def is_full(self) -> bool:
        """Whether enough wait."""
        return len(self._waiting) >= MOST

    def finish(self) -> None:
        """All that waits is published when this returns, or `failed` has heard of it."""
        waiting, self._waiting = self._waiting, []
        side_by_side(_Waiting.sync, waiting)
        for each in waiting:
            each.rename()
        directories = list({each.directory for each in waiting if each.error is None})
        unsynced = dict(zip(directories, side_by_side(_sync, directories), strict=True))
        for each in waiting:
            if error := each.error or unsynced.get(each.directory):
                self._failed(each.owner, error)


def side_by_side(act: Callable[[A], B], items: Sequence[A]) -> list[B]:
    """What comes of each, in their order; many wait for the disk at a time."""
    return list(map(act, items)) if len(items) < 2 else list(_threads().map(act, items))


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(WAITING, thread_name_prefix="fsync")


def _sync(directory: str) -> OSError | None:
    try:
        sync_directory(directory)
    except OSError as error:
        return error
    return None
