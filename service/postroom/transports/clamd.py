"""ClamAV's clamd: INSTREAM, the message in pieces, so that neither side holds more of it than one."""

import re
from typing import Final

from postroom.errors import Temporary
from postroom.pipeline.tools import Scanner
from postroom.pipeline.view import View, Virus
from postroom.transports.scanner import PIECE, Line, away

_FOUND: Final = re.compile(r"stream: ([\w.:+/()-]{1,200}) FOUND", re.ASCII)


def ask(scanner: Scanner, view: View) -> Virus:
    """Raises Temporary."""
    with away("clamd"):
        with Line.to(scanner.url, scanner.timeout) as line:
            try:
                line.sendall(b"zINSTREAM\0")
                raw = memoryview(view.message.raw)
                for start in range(0, len(raw), PIECE):
                    piece = raw[start : start + PIECE]
                    line.sendall(len(piece).to_bytes(4, "big"))
                    line.sendall(piece)
                line.sendall(bytes(4))
            except (BrokenPipeError, ConnectionResetError):
                pass  # it hangs up on what is too large, and its answer says so
            answer = line.rest()
        return _read(answer)


def _read(answer: bytes) -> Virus:
    texts = [text.strip().decode("latin-1") for text in answer.strip(b"\0\r\n").split(b"\0")]
    if texts == ["stream: OK"]:
        return Virus(found=False)
    found = [_FOUND.fullmatch(text) for text in texts]
    names = tuple(match[1] for match in found if match is not None)
    if not names or len(names) < len(texts):
        raise Temporary(
            "it could not scan the message" if texts[0].endswith("ERROR") else "what it answers cannot be understood"
        )
    return Virus(found=True, names=names[:50])
