"""Learning: one process at a time; readers go on with the words of before until the new ones take their name."""

import fcntl
import hashlib
import os
from array import array
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from postroom.bayes.journal import Entry, Journal
from postroom.bayes.tokens import tokens
from postroom.bayes.words import IDENTITY, Words, key
from postroom.errors import Temporary
from postroom.message import Message
from postroom.transports.files import explained, make_directories

EVERY: Final = 5000  # messages between two writings of the words
WORDS: Final = "words"


class Learner:
    """Learns messages into the words of a directory. What `learn` was told survives a crash from its next `sync` on,
    which comes by itself every hundred messages; classifying knows it from `save` on. Raises Temporary.
    """

    def __init__(self, directory: Path) -> None:
        with explained(directory):
            make_directories(directory, 0o700)
        self._path = directory / WORDS
        self._lock = _locked(directory / "lock")
        try:
            self._words = (Words.read(self._path) or Words.empty()).copy()
            self._learned = self._words.learned()
            self._journal = Journal(directory / "journal")
        except BaseException:
            os.close(self._lock)
            raise
        self._unsaved = 0
        for entry in self._journal.entries(self._words.generation):
            self._count(entry)
        # An end that a crash cut off is dropped with the rest.
        self.save()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.save()
        finally:
            self._journal.close()
            os.close(self._lock)

    @property
    def spam(self) -> int:
        return self._words.spam

    @property
    def ham(self) -> int:
        return self._words.ham

    def learn(self, message: Message, *, spam: bool) -> bool:
        """False where it was learned as such before. One that was learned as the other is taken out there first."""
        keys = array("I", sorted(set(map(key, tokens(message)))))
        identity = hashlib.sha256(keys).digest()[: IDENTITY - 1]
        before = self._learned.get(identity)
        if before is spam:
            return False
        if before is not None:
            self._note(Entry(identity, keys, spam=before, times=-1))
        self._note(Entry(identity, keys, spam=spam, times=1))
        if self._unsaved >= EVERY:
            self.save()
        return True

    def sync(self) -> None:
        """From here on a crash loses nothing that was learned."""
        self._journal.sync()

    def save(self) -> None:
        """Let those who classify know what was learned."""
        if self._unsaved:
            self._words.generation = (self._words.generation + 1) % (1 << 32)
            self._journal.sync()
            self._words.write(self._path, self._learned)
            self._unsaved = 0
        # A crash before this leaves a journal of an earlier generation, which is known to be in the words.
        self._journal.begin(self._words.generation)

    def _note(self, entry: Entry) -> None:
        self._journal.write(entry)
        self._count(entry)

    def _count(self, entry: Entry) -> None:
        self._words = self._words.add(entry.keys, spam=entry.spam, times=entry.times)
        if entry.times > 0:
            self._learned[entry.identity] = entry.spam
        else:
            self._learned.pop(entry.identity, None)
        self._unsaved += 1


def _locked(path: Path) -> int:
    with explained(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor
    os.close(descriptor)
    raise Temporary(f"{path.parent}: another process is learning there; try again when it has ended")
