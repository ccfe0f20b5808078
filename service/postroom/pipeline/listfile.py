"""A file of globs beside the pipeline, one a line, read again when it has changed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from postroom.pipeline.globs import Glob, GlobSet
from postroom.pipeline.text import Text

MOST: Final = 16 << 20  # octets


class ListFile:
    """Globs of one file. Raises ValueError where the file cannot be read at first.

    A file that later cannot be read, or holds a bad line, leaves the last good list in force: rules go on.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._state = self._look()
        if self._state is None:
            raise ValueError(f"there is no file `{path.name}` beside the pipeline")
        self._globs = _read(path)

    @property
    def globs(self) -> GlobSet:
        """The list as the file is now."""
        state = self._look()
        if state is not None and state != self._state:
            try:
                self._globs = _read(self.path)
            except ValueError:
                pass
            self._state = state
        return self._globs

    def match(self, text: Text) -> bool:
        return self.globs.first(text.folded) is not None

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: Path) -> GlobSet:
    try:
        with path.open("rb") as stream:
            octets = stream.read(MOST + 1)
    except OSError as error:
        raise ValueError(f"`{path.name}` cannot be read: {error.strerror}") from None
    if len(octets) > MOST:
        raise ValueError(f"`{path.name}` holds more than {MOST >> 20} MiB")
    try:
        return GlobSet(_globs(path.name, octets.decode("utf-8-sig")))
    except UnicodeDecodeError:
        raise ValueError(f"`{path.name}` is not UTF-8") from None


def _globs(name: str, text: str) -> Iterator[Glob]:
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            try:
                yield Glob(line)
            except ValueError as error:
                raise ValueError(f"`{name}`, line {number}: {error}") from None
