"""Delivery into a Maildir++ (maildir(5)): tmp, write, fsync, rename, fsync of the directory; safe to
repeat.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from postroom.errors import Permanent
from postroom.transports import publishing
from postroom.transports.files import explained, make_directories, sync_directory, write_all
from postroom.transports.mutf7 import encode
from postroom.transports.publishing import Publish

# In the order that maildir(5) wants them after `:2,`.
LETTERS: Final = {
    "\\draft": "D", "\\flagged": "F", "$forwarded": "P", "\\answered": "R", "\\seen": "S", "\\deleted": "T",
}  # fmt: skip
SUBS: Final = ("tmp", "cur", "new")  # new last: whoever looks for it finds a whole Maildir
BLOCK: Final = 1 << 18
NEW_FOLDERS: Final = 100  # made in one mailbox within a day: their names can come from messages
Chunks = Sequence[bytes | memoryview]


def _nothing() -> None:
    """Any number may be made."""


def holds(flag: str) -> bool:
    """Whether a Maildir can carry this flag; keywords it cannot."""
    return flag.lower() in LETTERS


def folder_path(root: Path, folder: str) -> Path:
    """Where a folder lies: `A/B` is `.A.B`; "" and INBOX are the root. Raises Permanent for a name that is
    none.
    """
    if not folder or folder.upper() == "INBOX":
        return root
    segments = folder.split("/")
    if any(not segment or "." in segment or segment.startswith("~") for segment in segments):
        raise Permanent("a folder's name has an empty part, a dot or a leading `~`")
    name = "." + ".".join(encode(segment) for segment in segments)
    if "/" in name or "\0" in name or len(name) > 250:
        raise Permanent("a folder's name is too long")
    return root / name


def deliver(
    chunks: Chunks,
    directory: Path,
    *,
    key: str,
    received: datetime,
    host: str,
    flags: Iterable[str] = (),
    create: bool = True,
    root: Path | None = None,
    again: bool = True,
    seen: bool = False,
    publish: Publish = publishing.publish,
    spend: Callable[[], None] = _nothing,
) -> bool:
    """Put a message into a Maildir; False where an earlier try had put it there already.

    The name holds `key`, so that a repeated delivery finds the first one's work, in whatever state a mail
    reader has left it; `again`: whether there can have been one. `root`: the Maildir++ whose folder
    `directory` is. `seen`: it is no new mail, and lies in `cur` even without flags. `publish`: how
    it gets its name; later, where it is to be done for many together. `spend`: as `prepare` has it. Line ends become
    LF where the message has CRLF throughout. Raises Temporary, and Permanent where the folder is missing and not to
    be created; both name `root`, since a folder may be named after what a message says.
    """
    with explained(root or directory):
        prepare(directory, create=create, root=root, spend=spend)
        if again and _found(directory, key):
            return False
        name = f"{int(received.timestamp())}.{key}.{host_part(host)}"
        where, info = ("cur", f":2,{letters_of(flags)}") if letters_of(flags) or seen else ("new", "")
        # Two tries at once are possible, when one was stopped past its lease and goes on: were they to share a
        # file in tmp, the one could publish what the other is still writing.
        temporary = f"{directory}/tmp/{name}.{os.urandom(4).hex()}"
        descriptor, size = _written(temporary, unix(chunks))
        publish(descriptor, temporary, f"{directory}/{where}/{name},S={size}{info}")
        return True


def letters_of(flags: Iterable[str]) -> str:
    """The flags that a Maildir can carry, as they stand behind `:2,`."""
    return "".join(sorted({LETTERS[flag.lower()] for flag in flags if holds(flag)}))


def prepare(directory: Path, *, create: bool, root: Path | None, spend: Callable[[], None] = _nothing) -> None:
    """Make what is missing of a Maildir, or of a folder of `root`. `spend`: called before such a folder is made, to
    raise where there are to be no more. Raises OSError, and Permanent where it is not to be created."""
    if all(os.path.isdir(f"{directory}/{sub}") for sub in SUBS):
        return
    if not create and not directory.is_dir():
        raise Permanent(f"{root or directory}: there is no such folder, and it is not to be created")
    if root is not None and directory != root:
        if not directory.is_dir():
            spend()
        prepare(root, create=True, root=None)
    for sub in SUBS:
        make_directories(directory / sub)
    if root is not None and directory != root:
        with suppress(FileExistsError):
            os.close(os.open(directory / "maildirfolder", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def _found(directory: Path, key: str) -> bool:
    """Whether an earlier try was finished, whatever became of its flags; what it left in tmp is removed."""
    for name in _named(directory / "tmp", key):
        with suppress(FileNotFoundError):
            (directory / "tmp" / name).unlink()
    # cur second: a mail reader may move it there meanwhile.
    for sub in ("new", "cur"):
        if _named(directory / sub, key):
            sync_directory(directory / sub)  # the earlier try may have ended just before
            return True
    return False


def _named(directory: Path, key: str) -> list[str]:
    with os.scandir(directory) as entries:
        return [entry.name for entry in entries if f".{key}." in entry.name]


def _written(path: str, chunks: Iterable[bytes | memoryview]) -> tuple[int, int]:
    """An open file, and its octets."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        return descriptor, write_all(descriptor, chunks)
    except BaseException:
        os.close(descriptor)
        with suppress(FileNotFoundError):
            os.unlink(path)
        raise


def unix(chunks: Chunks) -> Iterator[bytes | memoryview]:
    """The message with LF line ends where it has CRLF throughout, else as it is."""
    if _crlf_throughout(chunks):
        return _without_returns(chunks)
    return iter(chunks)


def _crlf_throughout(chunks: Chunks) -> bool:
    """Every LF follows a CR and every CR precedes an LF."""
    pairs = feeds = returns = 0
    last = b""
    for block in blocks(chunks):
        pairs += block.count(b"\r\n") + (last == b"\r" and block[:1] == b"\n")
        feeds += block.count(b"\n")
        returns += block.count(b"\r")
        if pairs != feeds or returns - pairs > 1:
            return False
        last = block[-1:]
    return pairs == feeds == returns and pairs > 0


def _without_returns(chunks: Chunks) -> Iterator[bytes]:
    return (block.replace(b"\r", b"") for block in blocks(chunks))


def blocks(chunks: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    for chunk in chunks:
        view = memoryview(chunk)
        for start in range(0, len(view), BLOCK):
            yield bytes(view[start : start + BLOCK])


def host_part(host: str) -> str:
    """A host's name as maildir(5) wants it in file names."""
    return host.replace("/", "\\057").replace(":", "\\072")
