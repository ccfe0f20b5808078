"""Credentials as SASL sends them, and what a server answers when it does not like them."""

import base64
import binascii
import json
from typing import Literal

from postroom.settings.mailboxes import Account
from postroom.settings.secrets import SecretSource
from postroom.sources.losses import LoginRefused, readable

Mechanism = Literal["plain", "xoauth2", "oauthbearer"]


def secret_of(account: Account) -> str:
    """The password or the access token, fetched now. Blocks. Raises Temporary where it cannot be had, LoginRefused
    where it could be taken for more than one line."""
    if account.token_file:
        secret = SecretSource(file=account.token_file).reveal()
    elif account.token_command:
        secret = SecretSource(command=account.token_command).reveal()
    else:
        found = account.secret()
        assert found is not None, "the settings were checked"
        secret = found
    value = secret.get_secret_value()
    if any(char < " " or char == "\x7f" for char in f"{account.name}{value}"):
        raise LoginRefused("the user or its secret holds a control character")
    return value


def initial_response(mechanism: Mechanism, account: Account, secret: str) -> bytes:
    """The first and only message of the client, in base64 (RFC 4616, RFC 7628, Google's XOAUTH2)."""
    name = account.name or ""
    if mechanism == "plain":
        text = f"\0{name}\0{secret}"
    elif mechanism == "xoauth2":
        text = f"user={name}\1auth=Bearer {secret}\1\1"
    else:
        saslname = name.replace("=", "=3D").replace(",", "=2C")
        text = f"n,a={saslname},\1host={account.host}\1port={account.port}\1auth=Bearer {secret}\1\1"
    return base64.b64encode(text.encode())


def reported(challenge: bytes) -> str:
    """The status in an error challenge, `{"status":"401","schemes":"Bearer","scope":"…"}`; empty: it holds none."""
    try:
        report = json.loads(base64.b64decode(challenge[:8192], validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return ""
    status = report.get("status") if isinstance(report, dict) else None
    return readable(str(status).encode()) if status else ""
