"""The grammar inside a response: atoms, strings, numbers, NIL and parenthesised lists (RFC 3501 4)."""

import re
from collections.abc import Sequence

Value = bytes | None | list["Value"]
"""Atoms and strings alike are bytes; NIL is None."""

DEPTH = 50
_NIL = len(b"NIL")
_TOKEN = re.compile(
    rb"\s*+(?:"
    rb'"((?:[^"\\]|\\.)*+)"'  # 1: quoted
    rb"|([()])"  # 2
    rb'|((?:[^\s()"\[]|\[[^\]]*+\])++)'  # 3: an atom; brackets may hold spaces: BODY[HEADER.FIELDS (TO)]
    rb"|[\s\S])"
)
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_ANNOUNCED = re.compile(rb"~?\{\d+\+?\}\Z")


def values(pieces: Sequence[bytes], start: int = 0) -> list[Value]:
    """All values of a response from an offset of its first line on. Never fails: what is not closed ends with the
    response, what is nested too deep is flat."""
    top: list[Value] = []
    stack = [top]
    for number, piece in enumerate(pieces):
        if number % 2:
            stack[-1].append(piece)
            continue
        line = piece[start:] if number == 0 else piece
        _read(_ANNOUNCED.sub(b"", line) if number + 1 < len(pieces) else line, stack)
    return top


def _read(line: bytes, stack: list[list[Value]]) -> None:
    for token in _TOKEN.finditer(line):
        match token.lastindex:
            case 3:
                atom = token[3]
                stack[-1].append(None if len(atom) == _NIL and atom.upper() == b"NIL" else atom)
            case 2 if token[2] == b"(":
                if len(stack) < DEPTH:
                    inner: list[Value] = []
                    stack[-1].append(inner)
                    stack.append(inner)
            case 2:
                if len(stack) > 1:
                    stack.pop()
            case 1:
                stack[-1].append(_ESCAPE.sub(rb"\1", token[1]))
            case _:
                pass
