"""Maildirs as tests fill them."""

from pathlib import Path

LETTER = b"Return-Path: <ann@example.org>\nFrom: ann@example.org\nMessage-ID: <1@example.org>\n\nHello\n"


def put(root: Path, name: str, content: bytes = LETTER) -> Path:
    """As a delivery agent does: tmp, then new."""
    for sub in ("tmp", "new", "cur"):
        (root / sub).mkdir(parents=True, exist_ok=True)
    (root / "tmp" / name).write_bytes(content)
    return (root / "tmp" / name).rename(root / "new" / name)
