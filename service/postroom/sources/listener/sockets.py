"""Listening sockets: TCP, and UNIX sockets with a mode, left behind by nobody."""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from postroom.errors import Permanent, PostroomError, Temporary
from postroom.settings.mailboxes import ListenerMailbox

_BACKLOG = 128
_FOR_THE_OPERATOR = {
    errno.EACCES: "permission is denied: ports below 1024 and foreign directories need rights",
    errno.EPERM: "permission is denied",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.ENOENT: "its directory does not exist: make it",
    errno.ENOTDIR: "part of its path is no directory",
    errno.ENAMETOOLONG: "its path is too long",
    errno.EROFS: "its directory cannot be written to",
}
_NOT_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


@contextmanager
def listening(mailbox: ListenerMailbox, base: Path) -> Iterator[list[socket.socket]]:
    """Sockets of the mailbox's URL; relative paths count from `base`.

    Raises Permanent for what an operator has to mend, Temporary where the address is in use.
    """
    opened: list[socket.socket] = []
    file: tuple[Path, int] | None = None  # of a UNIX socket: its path and inode
    parts = urlsplit(mailbox.url)
    try:
        if path := mailbox.socket(base):
            opened.append(_unix(path, int(mailbox.mode, 8)))
            file = path, path.lstat().st_ino
        else:
            opened += _tcp(parts.hostname or "", parts.port or 0)
    except OSError as error:
        raise _explained(mailbox.url, error) from error
    try:
        yield opened
    finally:
        for one in opened:
            one.close()
        if file is not None:
            _unlink(*file)


def _explained(url: str, error: OSError) -> PostroomError:
    reason = _FOR_THE_OPERATOR.get(error.errno or 0)
    if reason is None and isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN:
        reason = "this machine cannot tell what address that is"
    if reason is not None:
        return Permanent(f"{url} cannot be listened on: {reason}")
    if error.errno == errno.EADDRINUSE:
        return _taken(url)
    return Temporary(f"{url} cannot be listened on: {error.strerror or 'the system gives no reason'}")


def _tcp(host: str, port: int) -> list[socket.socket]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            try:
                opened.append(_listening(family, kind, protocol, address))
            except OSError as error:
                # A name has an address of IPv6 also where that is switched off: its others will do.
                if error.errno not in _NOT_HERE:
                    raise
                missing = error
        if missing is not None and not opened:
            raise missing
    except OSError:
        for one in opened:
            one.close()
        raise
    return opened


def _listening(family: int, kind: int, protocol: int, address: Any) -> socket.socket:
    # With its protocol, by which asyncio knows to switch Nagle's algorithm off.
    one = socket.socket(family, kind, protocol)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
        one.listen(_BACKLOG)
    except OSError:
        one.close()
        raise
    return one


def _unix(path: Path, mode: int) -> socket.socket:
    """Bound beside its path and moved there once it listens with its mode: nobody meets half of it, and a stale one is
    replaced."""
    _check_free(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            beside.unlink()
        _bind(one, beside)
        beside.chmod(mode)
        one.listen(_BACKLOG)
        beside.rename(path)
    except OSError:
        one.close()
        with suppress(OSError):
            beside.unlink()
        raise
    return one


def _bind(one: socket.socket, path: Path) -> None:
    try:
        one.bind(str(path))
    except OSError as error:
        if error.errno is None:  # Python's own check of the length carries no number
            raise OSError(errno.ENAMETOOLONG, "the path is too long") from error
        raise


def _check_free(path: Path) -> None:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise Permanent(f"{path} is there and is no socket: remove it, or choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return  # left by a process that is gone
        except OSError:
            pass
    raise _taken(str(path))


def _taken(address: str) -> Temporary:
    return Temporary(
        f"{address} cannot be listened on: another process does; stop that one, or give this mailbox another address "
        "(it is tried again and again)"
    )


def _unlink(path: Path, inode: int) -> None:
    """Unless another process has put its own there."""
    with suppress(OSError):
        if path.lstat().st_ino == inode:
            path.unlink()
