"""Appending to an mbox (RFC 4155, quoted as mboxrd), locked as other programs lock it; whole or not at
all.
"""

import fcntl
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from postroom.errors import Temporary
from postroom.transports.files import explained, make_directories, sync_directory, write_all
from postroom.transports.maildir import Chunks, blocks, unix

LINE = 1 << 20  # octets of a line that are held back to see its end
STALE = 900.0  # seconds; a lock this old was left behind by a program that is gone
_FROM = re.compile(rb"^(>*From )", re.MULTILINE)


def append(
    path: Path,
    chunks: Chunks,
    *,
    sender: str,
    received: datetime,
    root: Path | None = None,
    wait: float = 30.0,
) -> None:
    """Append one message, made durable. `root`: what errors name, where the rest of the path may come from a
    message; a symbolic link is not followed then. `wait`: seconds for the locks.

    Raises Temporary where locks or disk are not to be had; the file is then as it was.
    """
    with explained(root or path):
        make_directories(path.parent)
        with _dotlock(path, root or path, wait):
            new = not path.exists()
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | (os.O_NOFOLLOW if root else 0)
            descriptor = os.open(path, flags, 0o600)
            try:
                _lock(descriptor, root or path, wait)
                _write(descriptor, _entry(chunks, sender, received))
            finally:
                os.close(descriptor)
            if new:
                sync_directory(path.parent)


def _write(descriptor: int, pieces: Iterable[bytes]) -> None:
    size = os.fstat(descriptor).st_size
    try:
        write_all(descriptor, [_gap(os.pread(descriptor, 2, max(0, size - 2)))])
        write_all(descriptor, pieces)
        os.fsync(descriptor)
    except BaseException:
        os.ftruncate(descriptor, size)
        raise


def _gap(end: bytes) -> bytes:
    """What an mbox that ends so needs before the next From_ line can begin."""
    if not end or end in (b"\n", b"\n\n"):
        return b""
    return b"\n" if end.endswith(b"\n") else b"\n\n"


def _entry(chunks: Chunks, sender: str, received: datetime) -> Iterator[bytes]:
    address = re.sub(r"[\x00-\x20\x7f]+", "-", sender) or "MAILER-DAEMON"
    # As asctime(3) writes it, whatever the locale; in UTC, as RFC 4155 wants.
    at = time.asctime(received.astimezone(UTC).timetuple())
    yield f"From {address} {at}\n".encode("utf-8", "replace")
    last = b""
    for line in _quoted(chunks):
        yield line
        last = line[-1:] or last
    yield b"\n" if last == b"\n" else b"\n\n"


def _quoted(chunks: Chunks) -> Iterator[bytes]:
    """The message with each `From ` at the start of a line quoted."""
    rest, inside = b"", False  # what may still be quoted; whether that is past a line's start
    for block in blocks(unix(chunks)):
        block = rest + block
        if inside:
            end = block.find(b"\n") + 1 or len(block)
            yield block[:end]
            inside, block = block[end - 1 : end] != b"\n", block[end:]
        end = block.rfind(b"\n") + 1
        if len(block) - end > LINE:
            end, inside = len(block), True
        yield _FROM.sub(rb">\1", block[:end])
        rest = block[end:]
    yield rest if inside else _FROM.sub(rb">\1", rest)


@contextmanager
def _dotlock(path: Path, told: Path, wait: float) -> Iterator[None]:
    lock = path.with_name(f"{path.name}.lock")
    deadline = time.monotonic() + wait
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            break
        except FileExistsError:
            _break_stale(lock)
        if time.monotonic() > deadline:
            raise Temporary(f"{told}: another program holds the lock file")
        time.sleep(0.05)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            lock.unlink()


def _break_stale(lock: Path) -> None:
    with suppress(FileNotFoundError):
        if time.time() - lock.stat().st_mtime > STALE:
            lock.unlink()


def _lock(descriptor: int, told: Path, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except (BlockingIOError, PermissionError):
            if time.monotonic() > deadline:
                raise Temporary(f"{told}: another program has locked the file") from None
        time.sleep(0.05)
