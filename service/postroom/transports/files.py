"""Writing to an operator's disk: durable, bounded in memory, and errors said as sentences without message
content.
"""

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from postroom.errors import Permanent, Temporary

PERMANENT = (errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.EILSEQ)


@contextmanager
def explained(path: Path | str) -> Iterator[None]:
    """OSErrors as ours, naming `path`. All are temporary but those of a name that no file system takes."""
    try:
        yield
    except OSError as error:
        kind = Permanent if error.errno in PERMANENT else Temporary
        raise kind(f"{path}: {error.strerror or type(error).__name__}") from error


def write_all(descriptor: int, chunks: Iterable[bytes | memoryview]) -> int:
    """Write every octet; answers how many. A short write is gone on with, as a signal may cause one."""
    total = 0
    for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            written = os.write(descriptor, rest)
            rest = rest[written:]
            total += written
    return total


def sync_directory(path: Path | str) -> None:
    """Make names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directories(path: Path, mode: int = 0o700) -> None:
    """Make what is missing of a path, each durable in its parent."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for directory in reversed(missing):
        with suppress(FileExistsError):
            directory.mkdir(mode)
        if not directory.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(directory))
        sync_directory(directory.parent)
