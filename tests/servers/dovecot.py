"""A private Dovecot on free ports of 127.0.0.1: any user, one password, Maildir storage; an ordinary user runs it."""

import base64
import grp
import hashlib
import hmac
import imaplib
import json
import os
import pwd
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from servers import process
from servers.authority import self_signed
from servers.ports import free_port

PASSWORD = "secret"
_BINARY = Path("/usr/sbin/dovecot")
_PROTOCOLS = Path("/usr/lib/dovecot")
_CONFIG = Template(Path(__file__).with_name("dovecot.conf").read_text())
_KEY = b"signs the access tokens of these tests"
_OAUTH2 = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={home}/keys/
username_attribute = email
"""
_SUBMISSION = """
protocols = $protocols submission
service submission-login {{
  chroot =
  service_count = 0
  inet_listener submission {{
    port = {port}
  }}
  inet_listener submissions {{
    port = 0
  }}
}}
submission_relay_host = 127.0.0.1
submission_relay_port = {relay}
"""
POOR = "imap_capability = IMAP4rev1"
"""For `imap`: neither IDLE nor UIDPLUS, MOVE, SASL-IR or anything else."""


@dataclass(frozen=True)
class Dovecot:
    """A running server. `ca`: the certificate to trust, for 127.0.0.1 and localhost."""

    home: Path
    imap: int
    imaps: int
    pop3: int
    pop3s: int
    lmtp: int  # where it is installed
    submission: int  # where it has a relay

    @property
    def ca(self) -> Path:
        return self.home / "cert.pem"

    @property
    def log(self) -> str:
        return (self.home / "log").read_text(errors="replace")

    def maildir(self, user: str) -> Path:
        """Where a user's messages lie; it appears with the first login."""
        return self.home / "mail" / user / "Maildir"

    @contextmanager
    def client(self, user: str, folder: str | None = "INBOX") -> Iterator[imaplib.IMAP4]:
        """Another program of the user's, logged in: for filling the mailbox and looking at it."""
        with imaplib.IMAP4("127.0.0.1", self.imap, timeout=30) as client:
            client.login(user, PASSWORD)
            if folder is not None:
                assert client.select(f'"{folder}"')[0] == "OK"
            yield client

    def append(
        self, user: str, *messages: bytes, folder: str = "INBOX", flags: str = "", date: str | None = None
    ) -> None:
        """Put messages into a folder, in order. Line ends become CRLF."""
        with self.client(user, None) as client:
            for message in messages:
                done = client.append(f'"{folder}"', flags, date, message)  # type: ignore[arg-type]  # None: now
                assert done[0] == "OK", done


def token(user: str, lifetime: float = 3600) -> str:
    """An access token that the server takes for this user."""
    now = int(time.time())
    claims = {"email": user, "sub": user, "iat": now, "nbf": now - 60, "exp": int(now + lifetime)}
    body = b".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return b".".join((body, _base64(hmac.digest(_KEY, body, hashlib.sha256)))).decode()


def _base64(octets: bytes) -> bytes:
    return base64.urlsafe_b64encode(octets).rstrip(b"=")


def is_installed() -> bool:
    return _BINARY.exists() and all((_PROTOCOLS / one).exists() for one in ("imap", "pop3"))


def has_lmtp() -> bool:
    return (_PROTOCOLS / "lmtp").exists()


def has_submission() -> bool:
    return (_PROTOCOLS / "submission").exists()


@contextmanager
def running(*, imap: str = "", relay: int = 0) -> Iterator[Dovecot]:
    """Start a server; it has ended when the context is left. `imap`: further settings of its IMAP service. `relay`: the
    port of a server that its submission service gives all mail to; without one it has none."""
    root = os.geteuid() == 0
    account = pwd.getpwnam("nobody") if root else pwd.getpwuid(os.getuid())
    # It tells when messages came in its own time zone.
    options: dict[str, Any] = {"env": os.environ | {"TZ": "UTC"}}
    if root:
        options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    with process.home("dovecot", 0o755) as home:
        server = _configured(home, account, imap, relay)
        with process.running([_BINARY, "-F", "-c", home / "dovecot.conf"], home, **options) as started:
            for port in (server.imap, server.imaps, server.pop3, server.pop3s):
                process.await_listener(started, ("127.0.0.1", port), home / "log")
            yield server


def _configured(home: Path, account: pwd.struct_passwd, imap: str, relay: int) -> Dovecot:
    server = Dovecot(home, *(free_port() for _ in range(6)))
    text = _CONFIG.substitute(
        {f"{name}_port": getattr(server, name) for name in ("imap", "imaps", "pop3", "pop3s", "lmtp")},
        home=home,
        account=account.pw_name,
        group=grp.getgrgid(account.pw_gid).gr_name,
        uid=account.pw_uid,
        gid=account.pw_gid,
        password=PASSWORD,
        imap=imap,
        lmtp=" lmtp" if has_lmtp() else "",
    )
    if relay:
        text += _SUBMISSION.format(port=server.submission, relay=relay)
    (home / "dovecot.conf").write_text(text)
    (home / "oauth2.conf").write_text(_OAUTH2.format(home=home))
    keys = home / "keys" / "default" / "HS256"
    keys.mkdir(parents=True)
    (keys / "default").write_bytes(base64.b64encode(_KEY))
    self_signed(home, "localhost", "IP:127.0.0.1")
    for path in (home, *home.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid)
    return server
