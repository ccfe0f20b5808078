"""Reading files that strangers put into a Maildir: never a link, never waiting, never more than is allowed."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from postroom.spool import Draft

CHUNK = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A message's file. `content` is None where it is longer than was asked for. `delivered`: when it was written."""

    directory: Path
    name: str
    size: int
    delivered: datetime
    content: bytes | None


class NoMessage(Exception):  # noqa: N818 - reads as a verdict where it is raised
    """A link, a directory, a pipe: nothing that a delivery leaves."""


def read(directory: Path, name: str, most: int) -> Read:
    """The file, its bytes where these are at most `most`. Raises OSError, and NoMessage."""
    with _opened(directory / name) as (handle, size, delivered):
        content = _all(handle, size) if size <= most else None
        return Read(directory=directory, name=name, size=size, delivered=delivered, content=content)


def copy(found: Read, draft: Draft, most: int) -> bytes:
    """Append the file to a draft, but no more than `most` octets; answers how it starts. Raises OSError, Temporary,
    and NoMessage."""
    with _opened(found.directory / found.name) as (handle, size, _):
        start = b""
        left = min(size, most)
        while left and (chunk := os.read(handle, min(CHUNK, left))):
            draft.write(chunk)
            start = start or chunk
            left -= len(chunk)
        return start


@contextmanager
def _opened(path: Path) -> Iterator[tuple[int, int, datetime]]:
    # Without waiting: a pipe would block for ever. A device or a link is not even looked into.
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.ENODEV):  # a link, a socket, a device
            raise NoMessage from None
        raise
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise NoMessage
        yield handle, status.st_size, _time(status.st_mtime)
    finally:
        os.close(handle)


def _all(handle: int, size: int) -> bytes:
    """Up to `size` octets: what is appended meanwhile is no part of a finished delivery."""
    pieces = []
    while size and (piece := os.read(handle, size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _time(seconds: float) -> datetime:
    """When the file was written; now, where its time lies ahead or is none."""
    now = datetime.now(UTC)
    try:
        return min(datetime.fromtimestamp(max(seconds, 0), UTC), now)
    except (OverflowError, ValueError, OSError):
        return now
