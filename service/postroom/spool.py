"""The store of raw bytes that are too large to lie in the ledger: one file each, durable before its row is
written.

A file is named by its intake and never shared between intakes, so that deleting one takes no other's bytes.
Names begin with the time, `20260301T101112.123456-0f3a…`, and lie in one subdirectory per day.
"""

import errno
import hashlib
import mmap
import os
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Self

from postroom.errors import Permanent, Temporary

Buffer = bytes | bytearray | memoryview
_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}-[0-9a-f]{16}")
_STAMP = "%Y%m%dT%H%M%S.%f"
_REMEDIES = {
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "the disk quota is used up: make room or raise it",
    errno.EFBIG: "the file grew over the limit on file sizes (ulimit -f): raise it",
    errno.EROFS: "the file system is mounted read-only: mount it writable",
    errno.EACCES: "permission is denied: check owner and mode of the directory",
    errno.EPERM: "permission is denied: check owner and mode of the directory",
    errno.ENOTDIR: "part of the path is not a directory: correct it or make room for one",
    errno.ENOENT: "it is missing: restore it from a backup, or drop the message",
    errno.EIO: "the disk reports an error: check it",
    errno.EMFILE: "too many files are open: raise the limit (ulimit -n)",
    errno.ENFILE: "too many files are open on this machine",
}


@dataclass(frozen=True, slots=True)
class Blob:
    """Stored bytes: their name in the spool, the SHA-256 in hexadecimal digits, and their number."""

    name: str
    sha256: str
    size: int


def fresh_name() -> str:
    """A name that sorts by time and no other intake has."""
    return f"{datetime.now(UTC).strftime(_STAMP)}-{secrets.token_hex(8)}"


def make_directory(directory: Path) -> None:
    """Make it and its missing parents, 0700, so that they are still there after a power failure."""
    if directory.is_dir():
        return
    make_directory(directory.parent)
    with suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    sync_directory(directory.parent)


def sync_directory(directory: Path) -> None:
    """Make renames and new names in it durable."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Draft:
    """A blob on its way into the spool; `size` octets of it are written. A context that is left before `finish`, and
    `discard`, remove it. Methods raise Temporary."""

    def __init__(self, handle: int, unfinished: Path, path: Path) -> None:
        self._handle = handle
        self._unfinished = unfinished
        self._path = path
        self._digest = hashlib.sha256()
        self._open = True
        self.size = 0

    def write(self, chunk: Buffer) -> None:
        """Add octets. They reach the system's cache only, which is fast enough for an event loop."""
        # Around the writing alone: what fails in the giver of the chunks is no fault of the spool.
        with _explained(self._path):
            left = memoryview(chunk)
            while left:
                left = left[os.write(self._handle, left) :]
        self._digest.update(chunk)
        self.size += len(chunk)

    def finish(self) -> Blob:
        """When this returns, file and name are durable. Waits for the disk."""
        with _explained(self._path):
            os.fsync(self._handle)
            self._unfinished.rename(self._path)
            sync_directory(self._path.parent)
        self._close()
        return Blob(self._path.name, self._digest.hexdigest(), self.size)

    def discard(self) -> None:
        """Leave nothing behind; does nothing once it is finished."""
        if self._open:
            self._unfinished.unlink(missing_ok=True)
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()

    def _close(self) -> None:
        os.close(self._handle)
        self._open = False


class Spool:
    """A directory of blobs. `min_free`: octets to leave free on its disk; writing refuses below that.

    Every method that touches the disk raises Temporary with a sentence that names file and remedy.
    """

    def __init__(self, directory: Path, *, min_free: int = 0, names: Callable[[], str] = fresh_name) -> None:
        self._directory = directory
        self._min_free = min_free
        self._names = names

    def write(self, chunks: Iterable[bytes]) -> Blob:
        """Store the chunks, one at a time in memory. When this returns, file and name are durable."""
        with self.draft() as draft:
            for chunk in chunks:
                draft.write(chunk)
            return draft.finish()

    def draft(self) -> "Draft":
        """A blob that is written as it comes; nothing of it is left where it is not finished."""
        name = self._names()
        path = self._path(name)
        unfinished = self._directory / "tmp" / name
        with _explained(path):
            make_directory(unfinished.parent)
            make_directory(path.parent)
            self.require(0)
            handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        return Draft(handle, unfinished, path)

    @contextmanager
    def open(self, name: str) -> Iterator[bytes | mmap.mmap]:
        """The bytes, mapped; views of them may outlive the context."""
        path = self._path(name)
        with _explained(path), path.open("rb") as file:
            # An empty file cannot be mapped.
            size = os.fstat(file.fileno()).st_size
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        try:
            yield content
        finally:
            if isinstance(content, mmap.mmap):
                # A parsed message may still hold views; then the mapping ends with the last of them.
                with suppress(BufferError):
                    content.close()

    def delete(self, name: str) -> None:
        """Remove the bytes; a name that is gone already is fine."""
        path = self._path(name)
        with _explained(path):
            path.unlink(missing_ok=True)

    def listing(self, before: datetime) -> Iterator[str]:
        """Names of blobs written before that time, oldest first."""
        limit = before.astimezone(UTC).strftime(_STAMP)
        with _explained(self._directory):
            days = sorted(self._directory.glob("[0-9]" * 8)) if self._directory.is_dir() else []
            for day in days:
                if day.name <= limit[:8]:
                    names = sorted(path.name for path in day.iterdir() if _NAME.fullmatch(path.name))
                    yield from (name for name in names if name < limit)

    def free(self) -> int:
        """Octets that an unprivileged writer may still use on the spool's disk."""
        place = self._directory
        while not place.exists() and place != place.parent:
            place = place.parent
        with _explained(place):
            status = os.statvfs(place)
        return status.f_bavail * status.f_frsize

    def require(self, size: int) -> None:
        """Refuse (Temporary) where `size` more octets would leave less than `min_free`."""
        free = self.free() if self._min_free or size else 0
        if free < self._min_free + size:
            remedy = "make room, or lower spool.min-free"
            raise Temporary(f"the spool {self._directory} has {free:,} bytes free, less than it needs: {remedy}")

    def clear(self, before: datetime) -> int:
        """Remove what crashes left behind before that time: unfinished files and days without blobs."""
        limit = before.astimezone(UTC).strftime(_STAMP)
        removed = 0
        with _explained(self._directory):
            for path in self._directory.glob("tmp/*"):
                if path.name < limit:
                    path.unlink(missing_ok=True)
                    removed += 1
            for day in self._directory.glob("[0-9]" * 8):
                if day.name < limit[:8]:
                    with suppress(OSError):
                        day.rmdir()
        return removed

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise Permanent("a name that is not one of the spool's own was asked for")
        return self._directory / name[:8] / name


def collect_orphans(
    known: Callable[[Collection[str]], Collection[str]],
    spool: Spool,
    *,
    now: datetime,
    older_than: timedelta = timedelta(days=1),
) -> int:
    """Delete blobs that no row names: a crash came between blob and row. `known` tells which of some names
    have a row.

    Answers how many were deleted. Younger ones are left: their rows may be about to be written.
    """
    names = spool.listing(now - older_than)
    deleted = 0
    while group := list(islice(names, 500)):
        orphans = set(group).difference(known(group))
        for name in orphans:
            spool.delete(name)
        deleted += len(orphans)
    spool.clear(now - older_than)
    return deleted


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, error.strerror or "the system gives no reason")
        raise Temporary(f"the spool file {path} cannot be used: {remedy}") from error
