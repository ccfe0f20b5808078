"""The kinds of memory that a message may lie in, and the few operations on them that parsing needs."""

import re
from mmap import mmap

_BARE_CR = re.compile(rb"\r(?!\n)")

Raw = bytes | bytearray | memoryview | mmap


def plain(raw: Raw) -> Raw:
    """Give what can be searched fastest: the object behind a view of all of it, else a view of bytes."""
    if not isinstance(raw, memoryview):
        return raw
    whole = raw.obj
    if isinstance(whole, bytes | bytearray) and raw.c_contiguous and raw.nbytes == len(whole) and raw.itemsize == 1:
        return whole
    if not raw.c_contiguous:
        return bytes(raw)
    return raw.cast("B") if raw.format != "B" or raw.ndim != 1 else raw


def find(raw: Raw, needle: bytes, start: int, end: int) -> int:
    """`bytes.find` for all of them: the offset of the needle that lies wholly between start and end, or -1."""
    if isinstance(raw, memoryview):
        match = re.compile(re.escape(needle)).search(raw, start, end)
        return match.start() if match else -1
    return raw.find(needle, start, end)


def has_bare_cr(raw: Raw) -> bool:
    """Whether a carriage return stands anywhere without a line feed behind it."""
    return _BARE_CR.search(raw) is not None


def piece(raw: Raw, start: int, end: int) -> bytes:
    """Copy a range out as bytes; of all of a `bytes` object no copy is made."""
    return bytes(raw[start:end])
