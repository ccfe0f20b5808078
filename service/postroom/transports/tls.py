"""What TLS towards a mail server trusts."""

import ssl
from functools import lru_cache
from pathlib import Path


def context_of(ca: Path | None) -> ssl.SSLContext:
    """One for all connections that trust the same, as each weighs half a megabyte. Raises OSError."""
    return _context(ca, ca.stat().st_mtime_ns if ca else 0)


@lru_cache(maxsize=1)
def unverified() -> ssl.SSLContext:
    """Encrypts and proves nothing: for mail exchangers that offer TLS and would else get clear text."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@lru_cache(maxsize=32)
def _context(ca: Path | None, _changed: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca) if ca else None)
