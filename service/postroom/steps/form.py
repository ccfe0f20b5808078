"""A message as a form (RFC 7578): its JSON, and every attachment."""

from collections.abc import Sequence

from postroom.pipeline.outcome import Letter
from postroom.pipeline.tools import Tools
from postroom.steps.payload import attached, webhook_json

Chunks = Sequence[bytes | memoryview]


def form(letter: Letter, tools: Tools) -> tuple[str, Chunks]:
    """Its media type and its octets, with the same boundary at each try, one that stands nowhere within."""
    parts = [('name="message"', "application/json", webhook_json(letter, tools))]
    for name, kind, part in attached(letter.message):
        quoted = name.replace('"', "%22")
        parts.append((f'name="attachment"; filename="{quoted}"', kind, part.content))
    boundary = f"postroom-{letter.key}"
    while any(boundary.encode() in content for _, _, content in parts):
        boundary += "-"
    chunks: list[bytes | memoryview] = []
    for disposition, kind, content in parts:
        head = f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\nContent-Type: {kind}\r\n\r\n"
        chunks += [head.encode("utf-8", "replace"), content, b"\r\n"]
    chunks.append(f"--{boundary}--\r\n".encode())
    return f"multipart/form-data; boundary={boundary}", chunks
