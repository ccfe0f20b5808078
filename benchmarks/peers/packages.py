"""What comes from Debian packages: looked for, and named where it is missing."""

import shutil
import sys
from collections.abc import Callable

from peers import dovecot


def _postgresql() -> bool:
    from servers import postgresql

    return postgresql.is_installed()


NEEDED: dict[str, tuple[str, Callable[[], object]]] = {
    "dovecot": ("dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-sieve", dovecot.is_installed),
    "fetchmail": ("fetchmail procmail", lambda: shutil.which("fetchmail") and shutil.which("procmail")),
    "getmail": ("getmail6 procmail", lambda: shutil.which("getmail") and shutil.which("procmail")),
    "procmail": ("procmail", lambda: shutil.which("procmail")),
    "redis": ("redis-server", lambda: shutil.which("redis-server")),
    "postgresql": ("postgresql", _postgresql),
}


def there(name: str) -> bool:
    """Whether it is installed; says so where it is not."""
    packages, is_installed = NEEDED[name]
    if is_installed():
        return True
    print(f"# left out: {name} is not installed (Debian packages: {packages})", file=sys.stderr, flush=True)
    return False
