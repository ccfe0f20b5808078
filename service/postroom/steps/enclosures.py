"""Files of the operator's that go along with an answer."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from postroom.errors import Temporary
from postroom.message.compose import Enclosure

MOST: Final = 20_000_000  # octets of all


def enclosures(names: Iterable[str], files: Path) -> Sequence[Enclosure]:
    """Relative names count from `files`. Raises Temporary."""
    made, room = [], MOST
    for name in names:
        path = files / Path(name).expanduser()
        try:
            with path.open("rb") as stream:
                content = stream.read(room + 1)
        except OSError as error:
            raise Temporary(f"{path}: {error.strerror}") from None
        room -= len(content)
        if room < 0:
            raise Temporary(f"the attachments of the answer are larger than {MOST // 10**6} MB")
        made.append(Enclosure(path.name, _media_type(path.name), content))
    return made


def _media_type(name: str) -> str:
    """Messages must not be in base64 (RFC 2046 §5.2.1): they go as octets."""
    from mimetypes import MimeTypes

    found = MimeTypes().guess_type(name)[0] or ""
    return "application/octet-stream" if not found or found.startswith(("message/", "multipart/")) else found
