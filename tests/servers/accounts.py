"""IMAP accounts as postroom.yaml would describe them."""

from collections.abc import Callable

from postroom.settings.mailboxes import ImapMailbox
from servers.dovecot import PASSWORD, Dovecot

Way = Callable[..., ImapMailbox]


def plain(port: int, user: str = "user", **keys: object) -> ImapMailbox:
    """Without TLS, on this machine. Keys of mailboxes are written with `_` and win."""
    return _account(f"imap://127.0.0.1:{port}", user, {"tls": "off"} | keys)


def starttls(server: Dovecot, user: str, **keys: object) -> ImapMailbox:
    """Encrypted by STARTTLS."""
    return _account(f"imap://127.0.0.1:{server.imap}", user, {"tls_ca": server.ca} | keys)


def encrypted(server: Dovecot, user: str, **keys: object) -> ImapMailbox:
    """Encrypted from the start."""
    return _account(f"imaps://127.0.0.1:{server.imaps}", user, {"tls_ca": server.ca} | keys)


def _account(url: str, user: str, keys: dict[str, object]) -> ImapMailbox:
    secret = {} if any(key.startswith(("token", "password")) for key in keys) else {"password": PASSWORD}
    values = {"url": url, "user": user, "timeout": "20s"} | secret | keys
    return ImapMailbox.model_validate({name.replace("_", "-"): value for name, value in values.items()})
