"""A private Dovecot on free ports of 127.0.0.1: any user, any password, Maildir storage, Sieve at its LMTP."""

import grp
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from peers import rules

BINARY = Path("/usr/sbin/dovecot")
_CONFIG = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
listen = 127.0.0.1
protocols = imap pop3 lmtp
default_internal_user = {account.pw_name}
default_internal_group = {group}
default_login_user = {account.pw_name}
default_vsz_limit = 1G
first_valid_uid = 1
first_valid_gid = 1
disable_plaintext_auth = no
ssl = no
mail_location = maildir:~/Maildir
mail_fsync = {fsync}
mail_max_userip_connections = 100
postmaster_address = postmaster@localhost
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={account.pw_uid} gid={account.pw_gid} home={home}/mail/%n allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
}}
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  service_count = 0
  inet_listener imap {{
    port = {ports[0]}
  }}
}}
service pop3-login {{
  chroot =
  service_count = 0
  inet_listener pop3 {{
    port = {ports[1]}
  }}
}}
service lmtp {{
  user =
  inet_listener lmtp {{
    port = {ports[2]}
  }}
}}
protocol lmtp {{
  mail_plugins = sieve
}}
plugin {{
  sieve = file:{home}/rules.sieve
}}
"""


@dataclass(frozen=True)
class Dovecot:
    """A running server."""

    home: Path
    imap: int
    pop3: int
    lmtp: int

    def maildir(self, user: str) -> Path:
        return self.home / "mail" / user / "Maildir"


def is_installed() -> bool:
    return BINARY.exists() and Path("/usr/lib/dovecot/lmtp").exists()


@contextmanager
def running(home: Path, fsync: str = "optimized") -> Iterator[Dovecot]:
    """In an empty directory. `optimized` is Dovecot's default: a message is synced before it is acknowledged."""
    root = os.geteuid() == 0
    account = pwd.getpwnam("nobody") if root else pwd.getpwuid(os.getuid())
    home.mkdir(parents=True)
    (home / "mail").mkdir()
    ports = free_ports(3)
    group = grp.getgrgid(account.pw_gid).gr_name
    (home / "dovecot.conf").write_text(
        _CONFIG.format(home=home, account=account, group=group, ports=ports, fsync=fsync)
    )
    (home / "rules.sieve").write_text(rules.sieve())
    if root:
        for path in (home, *home.rglob("*")):
            shutil.chown(path, account.pw_uid, account.pw_gid)
    process = subprocess.Popen(
        [BINARY, "-F", "-c", home / "dovecot.conf"],
        user=account.pw_uid if root else None,
        group=account.pw_gid if root else None,
        extra_groups=[] if root else None,
    )
    try:
        for port in ports:
            await_port(port, process)
        yield Dovecot(home, *ports)
    finally:
        process.terminate()
        process.wait(60)


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on just now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until a server answers there."""
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{process.args} did not start") from None
            time.sleep(0.02)
