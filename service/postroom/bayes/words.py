"""The file of learned words: a hash table that processes map into memory and read without locks.

    header   mark, generation, spam messages, ham messages, cells, cells in use, identities, version (32 bits each)
    cells    key, times in spam, times in ham                                                 (3 numbers each)
    learned  which messages were learned, and as what                                         (16 octets each)

It is never changed in place: a new one takes its name, and whoever has the old one mapped goes on with that.
"""

import mmap
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Self
from zlib import crc32

from postroom.errors import Temporary
from postroom.transports.files import explained, sync_directory, write_all

MARK: Final = 0x50524257  # as this machine writes numbers; another one's file is refused
VERSION: Final = 0  # of this layout
HEADER: Final = struct.Struct("=8I")
IDENTITY: Final = 16  # octets: the last says whether it was learned as spam
MOST: Final = 4_000_000  # words; past this those that were seen once are forgotten
_SMALLEST: Final = 1 << 12
_FULL: Final = 0.6
_BIGGEST_COUNT: Final = (1 << 32) - 1


def key(token: str) -> int:
    """Its place and name in the table; two of a million words share one about once in ten thousand."""
    return crc32(token.encode("utf-8", "surrogatepass")) or 1


class Words:
    """Learned counts. `spam` and `ham`: how many messages of each were learned; `generation`: which journal follows."""

    def __init__(self, content: "mmap.mmap | bytearray") -> None:
        header: tuple[int, ...] = HEADER.unpack_from(content)
        self.generation, self.spam, self.ham, self.capacity, self.used, self.identities = header[1:7]
        self._content = memoryview(content)
        self.cells: memoryview[int] = self._content[HEADER.size : HEADER.size + 12 * self.capacity].cast("I")

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Map the file; None where nothing was learned. Raises Temporary where it is damaged or cannot be read."""
        with explained(path):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
            try:
                size = os.fstat(descriptor).st_size
                content = mmap.mmap(descriptor, size, prot=mmap.PROT_READ) if size >= HEADER.size else None
            finally:
                os.close(descriptor)
        if content is not None:
            mark, _, _, _, capacity, used, identities, version = HEADER.unpack_from(content)
            if mark == MARK and version != VERSION:
                raise Temporary(
                    f"{path}: a newer Postroom wrote these learned words; use that, or learn anew elsewhere"
                )
            if mark == MARK and used < capacity and size == HEADER.size + 12 * capacity + IDENTITY * identities:
                return cls(content)
        # With the directory goes what of IMAP folders was read already: else only new mail would be learned again.
        remedy = f"remove the directory {path.parent} and learn anew"
        raise Temporary(f"{path}: this is no file of learned words, or a damaged one; {remedy}")

    @classmethod
    def empty(cls, generation: int = 0, capacity: int = _SMALLEST) -> Self:
        """Nothing learned, to be changed."""
        content = bytearray(HEADER.size + 12 * capacity)
        HEADER.pack_into(content, 0, MARK, generation, 0, 0, capacity, 0, 0, VERSION)
        return cls(content)

    def copy(self) -> "Words":
        """The same, to be changed."""
        return Words(bytearray(self._content))

    def counts(self, wanted: int) -> tuple[int, int]:
        """In how many messages of spam and of ham it was."""
        at = self._find(wanted)
        return self.cells[at + 1], self.cells[at + 2]

    def known(self, tokens: Iterable[str]) -> Iterator[tuple[str, int, int]]:
        """Those that were in a message, with their counts."""
        find, cells = self._find, self.cells
        for token in tokens:
            at = find(key(token))
            spam, ham = cells[at + 1], cells[at + 2]
            if spam or ham:
                yield token, spam, ham

    def _find(self, wanted: int) -> int:
        """Where it is, or the free cell where it would be; there always is a free one. Raises Temporary where there is
        none: the file was damaged after all."""
        cells, end = self.cells, 3 * self.capacity
        at = 3 * (wanted % self.capacity)
        wrapped = False
        while (found := cells[at]) != wanted and found:
            at += 3
            if at == end:
                if wrapped:
                    raise Temporary("the file of learned words is damaged; remove its directory and learn anew")
                at, wrapped = 0, True
        return at

    def learned(self) -> dict[bytes, bool]:
        """Messages that were learned: whether as spam."""
        start = HEADER.size + 12 * self.capacity
        records = bytes(self._content[start : start + IDENTITY * self.identities])
        return {
            records[at : at + IDENTITY - 1]: records[at + IDENTITY - 1] == 1 for at in range(0, len(records), IDENTITY)
        }

    # Changing a copy.

    def add(self, keys: Iterable[int], *, spam: bool, times: int) -> "Words":
        """Count a message in, or out again (`times` -1). Answers with the table to go on with: it may have grown."""
        if spam:
            self.spam = max(0, self.spam + times)
        else:
            self.ham = max(0, self.ham + times)
        words = self
        for one in keys:
            at = words._find(one)
            if not words.cells[at]:
                if times < 0:
                    continue
                if words.used + 1 > words.capacity * _FULL:
                    words = words._grown()
                    at = words._find(one)
                words.cells[at] = one
                words.used += 1
            at += 1 if spam else 2
            words.cells[at] = min(_BIGGEST_COUNT, max(0, words.cells[at] + times))
        return words

    def _grown(self) -> "Words":
        least = 2 if self.used >= MOST else 1
        kept = [
            at
            for at in range(0, 3 * self.capacity, 3)
            if self.cells[at] and self.cells[at + 1] + self.cells[at + 2] >= least
        ]
        grown = Words.empty(self.generation, max(_SMALLEST, 4 * len(kept) + 1))
        grown.spam, grown.ham = self.spam, self.ham
        for at in kept:
            to = grown._find(self.cells[at])
            grown.cells[to : to + 3] = self.cells[at : at + 3]
        grown.used = len(kept)
        return grown

    def write(self, path: Path, learned: dict[bytes, bool]) -> None:
        """Take the place of the file at once, durably. Raises Temporary; the old file is there still then."""
        header = HEADER.pack(
            MARK, self.generation, self.spam, self.ham, self.capacity, self.used, len(learned), VERSION
        )
        new = path.with_name(f"{path.name}.new")
        with explained(path):
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                identities = b"".join(identity + bytes([spam]) for identity, spam in learned.items())
                write_all(descriptor, [header, self.cells.cast("B"), identities])
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            new.replace(path)
            sync_directory(path.parent)
