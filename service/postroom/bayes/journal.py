"""The journal of messages that were learned since the words were last written: what a crash leaves is read again."""

import os
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

from postroom.bayes.words import IDENTITY
from postroom.errors import Temporary
from postroom.transports.files import explained, sync_directory, write_all

_MARK: Final = 0x5052424A
_START: Final = struct.Struct("=2I")  # mark, generation of the words that it follows
_HEAD: Final = struct.Struct(f"=2Ib{IDENTITY - 1}s")  # checksum of the rest, keys, times (+ spam, - ham; 2: out again)
_LONGEST: Final = 10_000  # keys of one message
_SYNC: Final = 100  # messages


@dataclass(frozen=True, slots=True)
class Entry:
    """One message, counted in or out."""

    identity: bytes
    keys: "array[int]"
    spam: bool
    times: int

    def packed(self) -> bytes:
        keys = self.keys.tobytes()
        times = (1 if self.times > 0 else 2) * (1 if self.spam else -1)
        head = _HEAD.pack(0, len(self.keys), times, self.identity)[4:]
        return struct.pack("=I", crc32(keys, crc32(head))) + head + keys


class Journal:
    """An append-only file, written by whoever holds the lock of its directory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting = 0
        with explained(path):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def entries(self, generation: int) -> Iterator[Entry]:
        """What was written after the words of that generation, up to where a crash cut it off."""
        with explained(self._path):
            content = os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0)
        if len(content) < _START.size or _START.unpack_from(content) != (_MARK, generation):
            return  # none, or one whose messages are in the words already
        at = _START.size
        while at + _HEAD.size <= len(content):
            checksum, count, times, identity = _HEAD.unpack_from(content, at)
            end = at + _HEAD.size + 4 * count
            if count > _LONGEST or end > len(content) or crc32(content[at + 4 : end]) != checksum:
                return
            keys = array("I", content[at + _HEAD.size : end])
            yield Entry(identity, keys, spam=times > 0, times=1 if abs(times) == 1 else -1)
            at = end

    def begin(self, generation: int) -> None:
        """Empty it: all that it held is in the words of that generation."""
        with explained(self._path):
            os.ftruncate(self._descriptor, 0)
            write_all(self._descriptor, [_START.pack(_MARK, generation)])
            os.fsync(self._descriptor)
            sync_directory(self._path.parent)

    def write(self, entry: Entry) -> None:
        """Append one; it is durable after `sync` at the latest. Raises Temporary."""
        if len(entry.keys) > _LONGEST:
            raise Temporary("a message of more words than one may have")
        with explained(self._path):
            write_all(self._descriptor, [entry.packed()])
        self._waiting += 1
        if self._waiting >= _SYNC:
            self.sync()

    def sync(self) -> None:
        with explained(self._path):
            os.fsync(self._descriptor)
        self._waiting = 0

    def close(self) -> None:
        os.close(self._descriptor)
