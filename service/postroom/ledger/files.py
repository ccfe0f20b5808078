"""The file of a SQLite ledger: private from the start, and never on a file system that several machines
share."""

import os
from collections.abc import Iterator
from pathlib import Path

from postroom.errors import Temporary
from postroom.spool import make_directory

# SQLite's locks do not work there, or not always, and a ledger written by two machines is lost.
# fmt: off
NETWORK = frozenset({
    "nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "coda", "9p", "ceph",
    "glusterfs", "lustre", "gpfs", "beegfs", "ocfs2", "gfs2", "davfs", "fuse.sshfs", "fuse.s3fs",
    "fuse.davfs2", "fuse.glusterfs", "fuse.cephfs", "fuse.smbnetfs", "fuse.rclone", "fuse.gcsfuse",
    "fuse.goofys", "fuse.mount-s3", "fuse.moosefs", "fuse.curlftpfs",
})
# fmt: on


def prepare(path: Path, *, create: bool) -> None:
    """Make the file 0600 in a directory 0700 where it is missing. Raises Temporary where it must not lie."""
    if not path.exists():
        if not create:
            raise Temporary(f"there is no ledger at {path}: check ledger.url and the state directory")
        make_directory(path.parent)
        # SQLite gives its -wal and -shm files the mode of this one.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    kind = file_system(path, _mounts())
    if is_network(kind):
        remedy = "keep the ledger on a local disk, or use PostgreSQL"
        raise Temporary(f"the ledger {path} lies on a network file system ({kind}), where SQLite loses data: {remedy}")


def is_network(kind: str) -> bool:
    """Whether a file system of this type is shared between machines."""
    return kind in NETWORK


def file_system(path: Path, mounts: str) -> str:
    """The type of the file system that holds the path, by the text of /proc/self/mountinfo; "" where it
    does not say."""
    real = path.resolve()
    found, depth = "", -1
    for point, kind in _parsed(mounts):
        # Of equal ones the later lies on top.
        if (real == point or point in real.parents) and len(point.parts) >= depth:
            found, depth = kind, len(point.parts)
    return found


def _parsed(mounts: str) -> Iterator[tuple[Path, str]]:
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) > 4 and after:
            yield Path(_unescaped(fields[4])), after.split(" ")[0]


def _unescaped(text: str) -> str:
    # proc(5): space, tab, line feed and backslash are written in octal.
    for code, sign in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, sign)
    return text


def _mounts() -> str:
    try:
        return Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
    except OSError:
        return ""
