"""Files below a root that nothing leaves, symbolic links included: whole or not there, never overwritten."""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from postroom.errors import Permanent
from postroom.transports.files import explained, make_directories, write_all

COUNTER = 10_000
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def opened(root: Path, path: Path, *, mode: int = 0o700) -> Iterator[int]:
    """A descriptor of the directory `path`, which lies below `root`; both are made where they are missing.

    `root` is the operator's and may be a symbolic link; below it none is followed. OSErrors, those of the
    body too, are raised as Temporary; Permanent where something other than a directory is in the way. Both
    name `root`, since the rest of the path may come from a message.
    """
    segments = path.relative_to(root).parts
    if ".." in segments:
        raise Permanent(f"{root}: the path leaves this directory")
    with explained(root):
        make_directories(root, mode)
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for segment in segments:
                below = _entered(descriptor, segment, mode, root)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)


def store(
    directory: int,
    name: str,
    chunks: Iterable[bytes | memoryview],
    *,
    key: str,
    mode: int,
    again: bool = True,
) -> tuple[str, bool]:
    """Write a file under `name`, or `name-1`, `name-2` … where others lie; answers the name and whether it is
    new. A file that holds just these octets already, under any of those names, is found and nothing is added.

    `key` is in the name of the temporary file, so that a later try removes it; `again`: whether there can
    have been an earlier one. Raises OSError, Permanent, and whatever `chunks` raises; then nothing is left.
    """
    if again:
        _clear(directory, key)
    # Never shared between two tries at once: the one could publish what the other is still writing.
    temporary = f"{_prefix(key)}{os.urandom(4).hex()}"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o600, dir_fd=directory)
    try:
        size = write_all(descriptor, chunks)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
        return _linked(directory, temporary, name, descriptor, size)
    finally:
        os.close(descriptor)
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
        os.fsync(directory)  # also where an equal file was found: its writer may have ended just before


def _clear(directory: int, key: str) -> None:
    for name in os.listdir(directory):
        if name.startswith(_prefix(key)):
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=directory)


def _prefix(key: str) -> str:
    return f".postroom-{key}-"


def _linked(directory: int, temporary: str, name: str, ours: int, size: int) -> tuple[str, bool]:
    for candidate in _candidates(name):
        try:
            os.link(temporary, candidate, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
        except FileExistsError:
            if _equal(directory, candidate, ours, size):
                return candidate, False
        else:
            return candidate, True
    raise Permanent(f"{COUNTER} files share one name")


def _entered(directory: int, segment: str, mode: int, root: Path) -> int:
    try:
        return os.open(segment, _DIRECTORY, dir_fd=directory)
    except FileNotFoundError:
        with suppress(FileExistsError):
            os.mkdir(segment, 0o700, dir_fd=directory)
            made = os.open(segment, _DIRECTORY, dir_fd=directory)
            os.fchmod(made, mode)  # past the umask
            os.fsync(directory)
            return made
        return os.open(segment, _DIRECTORY, dir_fd=directory)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise Permanent(f"{root}: below it a symbolic link or a file is in the way of a directory") from error
        raise


def _candidates(name: str) -> Iterator[str]:
    yield name
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a name, not a path
    for number in range(1, COUNTER):
        yield f"{stem}-{number}{suffix}"


def _equal(directory: int, name: str, ours: int, size: int) -> bool:
    try:
        theirs = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return False  # a link, or not ours to read: something else
    try:
        found = os.fstat(theirs)
        if not stat.S_ISREG(found.st_mode) or found.st_size != size:
            return False
        return all(
            os.pread(theirs, 1 << 18, offset) == os.pread(ours, 1 << 18, offset) for offset in range(0, size, 1 << 18)
        )
    finally:
        os.close(theirs)
