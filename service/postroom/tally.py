"""How often something was begun and did not come to its end, counted over the death of processes.

An octet in a file for each time. After a power failure it may be forgotten, which costs further tries and nothing else.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Final

from postroom.errors import PostroomError

KEPT: Final = 10 * 86400.0  # seconds after which one that was not begun again is forgotten


class Tally:
    """Of one process; names are those of files. Any thread may call it. Where the disk refuses nothing is counted."""

    def __init__(self, directory: Path) -> None:
        self._where = directory
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()

    def unfinished(self, name: str) -> int:
        """How often it was begun, and neither ended nor goes on in this process."""
        with self._lock:
            return max(0, self._begun(name) - self._running[name])

    @contextmanager
    def counted(self, name: str) -> Iterator[None]:
        """Count one more, unless the context ends as it should: an error of ours is an end, too."""
        self._begin(name)
        try:
            yield
        except PostroomError:
            self._end(name, well=True)
            raise
        except BaseException:
            self._end(name, well=False)
            raise
        self._end(name, well=True)

    def _begun(self, name: str) -> int:
        try:
            return (self._where / name).stat().st_size
        except OSError:
            return 0

    def _begin(self, name: str) -> None:
        with self._lock, suppress(OSError):
            with (self._directory / name).open("ab") as file:
                file.write(b".")
            self._running[name] += 1

    def _end(self, name: str, *, well: bool) -> None:
        with self._lock, suppress(OSError):
            self._running[name] -= 1
            if self._running[name] <= 0:
                del self._running[name]
            if well:
                (self._where / name).unlink(missing_ok=True)

    @cached_property
    def _directory(self) -> Path:
        """Made with the first count; what is old goes then."""
        self._where.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self._where.iterdir():
            if time.time() - path.stat().st_mtime > KEPT:
                path.unlink(missing_ok=True)
        return self._where
