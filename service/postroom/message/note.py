"""The text that stands where a part was."""

import binascii
import re

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_LINE_START = re.compile(rb"^(?:-|From )", re.MULTILINE)
_LONGEST_PLAIN_LINE = 76


def note_body(note: str, eol: bytes) -> tuple[list[tuple[str, str]], bytes]:
    """Give the fields and the body of a text part that holds the note; the body has no line end at its end.

    No line of it can be taken for a delimiter of the multipart around it.
    """
    lines = _lines(note)
    fields = [("Content-Type", "text/plain; charset=utf-8")]
    if all(_is_plain(line) for line in lines):
        return fields, eol.join(line.encode("ascii") for line in lines)
    fields.append(("Content-Transfer-Encoding", "quoted-printable"))
    quoted = binascii.b2a_qp("\n".join(lines).encode(), istext=True)
    quoted = _LINE_START.sub(lambda start: b"=%02X" % start[0][0] + start[0][1:], quoted)
    return fields, quoted.replace(b"\n", eol)


def note_line(note: str, eol: bytes) -> bytes:
    """Give the note as lines of a text of unknown charset: in ASCII, each indented and so no delimiter."""
    return b"".join(b" " + line.encode("ascii", "replace") + eol for line in _lines(note))


def _lines(note: str) -> list[str]:
    return _CONTROLS.sub(" ", "\n".join(note.splitlines())).split("\n")


def _is_plain(line: str) -> bool:
    return (
        line.isascii()
        and len(line) <= _LONGEST_PLAIN_LINE
        and not line.startswith(("-", "From "))
        and not line.endswith((" ", "\t"))
    )
