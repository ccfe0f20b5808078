"""A whole Postfix of its own: configuration, queue and port are a test's, and it hands all that it takes to one server."""

import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from servers import process
from servers.ports import free_port

_DAEMONS = Path("/usr/lib/postfix/sbin")
_QUEUE = (
    "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace",
)  # fmt: skip
_SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
lmtp      unix - - n - - lmtp
relay     unix - - n - - smtp
error     unix - - n - - error
retry     unix - - n - - error
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
tlsmgr    unix - - n 1000? 1 tlsmgr
postlog   unix-dgram n - n - 1 postlogd
"""


def is_installed() -> bool:
    """Its master starts as root only."""
    return (_DAEMONS / "master").exists() and os.geteuid() == 0


@contextmanager
def relaying(
    next_port: int, over: Literal["smtp", "lmtp"] = "smtp", certificate: tuple[Path, Path] | None = None
) -> Iterator[int]:
    """The port of one that takes all mail and gives it to the server on `next_port` of 127.0.0.1. With a certificate and
    its key it takes mail over TLS only."""
    port = free_port()
    with process.home("postfix", 0o755) as home:
        _configure(home, port, certificate, f"{over}:{'inet:' if over == 'lmtp' else ''}[127.0.0.1]:{next_port}")
        with process.running([_DAEMONS / "master", "-c", home / "etc", "-d"], home) as started:
            process.await_answer(started, lambda: _greets(port), home / "log")
            yield port


def _configure(home: Path, port: int, certificate: tuple[Path, Path] | None, next_hop: str) -> None:
    owner = pwd.getpwnam("postfix")
    for name in ("etc", "queue", "queue/pid"):
        (home / name).mkdir()
    for name in ("data", "queue/public", *(f"queue/{one}" for one in _QUEUE)):
        (home / name).mkdir(mode=0o700)
        os.chown(home / name, owner.pw_uid, -1)
    settings = {
        "compatibility_level": "3.6", "queue_directory": home / "queue", "data_directory": home / "data",
        "daemon_directory": _DAEMONS, "maillog_file": home / "log", "maillog_file_prefixes": home,
        "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "myhostname": "next.example", "mydestination": "",
        "mynetworks": "127.0.0.0/8", "smtpd_relay_restrictions": "permit_mynetworks, reject", "alias_maps": "",
        "default_transport": next_hop, "smtp_host_lookup": "native", "smtp_tls_security_level": "none",
        "smtpd_tls_security_level": "none", "default_database_type": "texthash", "local_recipient_maps": "",
        # What is to be tried again is so within a test's patience.
        "queue_run_delay": "2s", "minimal_backoff_time": "1s", "maximal_backoff_time": "2s",
    }  # fmt: skip
    if certificate is not None:
        chain, key = certificate
        settings |= {"smtpd_tls_security_level": "encrypt", "smtpd_tls_cert_file": chain, "smtpd_tls_key_file": key}
    (home / "etc/main.cf").write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))
    (home / "etc/master.cf").write_text(_SERVICES.format(port=port))


def _greets(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as wire:
        return wire.recv(4) == b"220 "
    return False
