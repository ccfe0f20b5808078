"""The corpora that lie beside the tests, and a look at everything in a message."""

from collections.abc import Callable
from pathlib import Path

import pytest

from postroom.message import Limits, Message, parse
from postroom.message.buffer import Raw

MESSAGES = Path(__file__).parents[2] / "messages"


@pytest.fixture(scope="session")
def corpus() -> tuple[bytes, ...]:
    """The messages of both corpora."""
    files = (file for file in sorted(MESSAGES.rglob("*")) if file.suffix in (".msg", ".eml"))
    return tuple(file.read_bytes() for file in files)


@pytest.fixture(scope="session")
def read_all() -> Callable[..., Message]:
    """Parse, and read every field of the message, its headers and its parts."""
    return _read_all


def _read_all(raw: Raw, limits: Limits | None = None) -> Message:
    message = parse(raw, limits=limits or Limits())
    # The JSON holds every field but the texts.
    message.model_dump(mode="json")
    _ = (message.text, message.html, message.body, message.attachments, message.layout_defects, repr(message))
    for part in message.parts:
        _ = (part.content, part.text, part.detected_type, part.is_body, tuple(part.headers), repr(part))
        assert b"".join(part.iter_content(1000)) == part.content
        assert part.size == len(part.content)
    return message
