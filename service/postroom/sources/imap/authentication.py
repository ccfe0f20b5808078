"""Who we are, proved: AUTHENTICATE with PLAIN, XOAUTH2 or OAUTHBEARER, else LOGIN."""

import asyncio
import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Collection
from typing import Literal, Protocol

from postroom.settings.mailboxes import ImapMailbox
from postroom.settings.secrets import SecretSource
from postroom.sources.imap.losses import LoginRefused, Lost, readable
from postroom.sources.imap.names import quoted
from postroom.sources.imap.responses import Reply, Status

Way = Literal["plain", "login", "xoauth2", "oauthbearer"]
# RFC 5530: these are about the server, not about us.
_ITS_OWN_FAULT = ("UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "CONTACTADMIN")
# An authentication ends after few exchanges; one that does not is no authentication.
_EXCHANGES = 5


class Exchange(Protocol):
    """What a dialogue may do: take a challenge (None: the command is over), and send a line."""

    async def prompt(self) -> bytes | None: ...
    def line(self, text: bytes) -> None: ...


class Wire(Protocol):
    """What is needed of a connection."""

    async def call(
        self, name: str, *arguments: str, dialogue: Callable[[Exchange], Awaitable[None]] | None = None
    ) -> Reply: ...
    @property
    def capabilities(self) -> Collection[str]: ...


async def authenticate(wire: Wire, account: ImapMailbox) -> Reply:
    """Log in. Raises LoginRefused where the server refuses us, Temporary where a secret cannot be had now or the server
    says that it is its own fault, Lost."""
    way = chosen(account, wire.capabilities)
    secret = await asyncio.to_thread(_secret, account)
    if way == "login":
        _require_plain_ascii(account, secret)
        reply = await wire.call("LOGIN", quoted(account.name or ""), quoted(secret))
        return _accepted(reply, "")
    return await _sasl(wire, way, _token(way, account, secret))


def chosen(account: ImapMailbox, capabilities: Collection[str]) -> Way:
    """The way to log in. Raises LoginRefused where the server offers none that we may use."""
    if account.auth != "auto":
        return account.auth
    if "AUTH=PLAIN" in capabilities:
        return "plain"
    if "LOGINDISABLED" in capabilities:
        raise LoginRefused("the server takes no password here (LOGINDISABLED): use `auth: xoauth2`, or its TLS port")
    return "login"


def _secret(account: ImapMailbox) -> str:
    if account.token_file or account.token_command:
        source = (
            SecretSource(file=account.token_file) if account.token_file else SecretSource(command=account.token_command)
        )
        return source.reveal().get_secret_value()
    secret = account.secret()
    return secret.get_secret_value() if secret else ""


def _require_plain_ascii(account: ImapMailbox, secret: str) -> None:
    if not all(" " <= char <= "~" for char in f"{account.name}{secret}"):
        raise LoginRefused("LOGIN cannot carry such a user or password, and the server offers no AUTHENTICATE PLAIN")


def _token(way: Way, account: ImapMailbox, secret: str) -> bytes:
    """The first and only message of the client (RFC 4616, RFC 7628, Google's XOAUTH2)."""
    name = account.name or ""
    if way == "plain":
        text = f"\0{name}\0{secret}"
    elif way == "xoauth2":
        text = f"user={name}\1auth=Bearer {secret}\1\1"
    else:
        saslname = name.replace("=", "=3D").replace(",", "=2C")
        text = f"n,a={saslname},\1host={account.host}\1port={account.port}\1auth=Bearer {secret}\1\1"
    return base64.b64encode(text.encode())


async def _sasl(wire: Wire, way: Way, token: bytes) -> Reply:
    reason = ""
    first = "SASL-IR" not in wire.capabilities

    async def dialogue(exchange: Exchange) -> None:
        nonlocal reason, first
        for _ in range(_EXCHANGES):
            challenge = await exchange.prompt()
            if challenge is None:
                return
            # After the token any further challenge is an error report, which wants an empty line before the NO.
            exchange.line(token if first else b"")
            reason = reason or ("" if first else _explained(challenge))
            first = False
        raise Lost("protocol", "the server does not come to an end with AUTHENTICATE")

    arguments = (way.upper(),) if first else (way.upper(), token.decode())
    return _accepted(await wire.call("AUTHENTICATE", *arguments, dialogue=dialogue), reason)


def _explained(challenge: bytes) -> str:
    """The status in an error challenge, `{"status":"401","schemes":"Bearer","scope":"…"}`."""
    try:
        report = json.loads(base64.b64decode(challenge[:8192], validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return ""
    status = report.get("status") if isinstance(report, dict) else None
    return readable(str(status).encode()) if status else ""


def _accepted(reply: Reply, reason: str) -> Reply:
    if reply.is_ok:
        return reply
    status = reply.status
    if status.code in _ITS_OWN_FAULT:
        raise Lost("closed", f"the server cannot log anybody in now [{status.code}]: {status.text}")
    raise LoginRefused(f"the login is refused: {_why(status, reason)}")


def _why(status: Status, reason: str) -> str:
    parts = (f"[{status.code}]" if status.code else "", status.text, f"(status {reason})" if reason else "")
    return " ".join(part for part in parts if part)
