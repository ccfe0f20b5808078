"""Who we are, proved: AUTHENTICATE with PLAIN, XOAUTH2 or OAUTHBEARER, else LOGIN."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Protocol

from postroom.settings.mailboxes import ImapMailbox
from postroom.sources.imap.names import quoted
from postroom.sources.imap.responses import Reply, Status
from postroom.sources.losses import LoginRefused, Lost
from postroom.sources.sasl import Mechanism, initial_response, reported, secret_of
from postroom.transports.discretion import without

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


async def authenticate(wire: Wire, account: ImapMailbox) -> None:
    """Log in. Raises LoginRefused where the server refuses us, Temporary where a secret cannot be had now or the server
    says that it is its own fault, Lost."""
    mechanism = chosen(account, wire.capabilities)
    secret = await asyncio.to_thread(secret_of, account)
    if mechanism is not None:
        await _sasl(wire, mechanism, initial_response(mechanism, account, secret), secret)
        return
    if not all(" " <= char <= "~" for char in f"{account.name}{secret}"):
        raise LoginRefused("LOGIN cannot carry such a user or password, and the server offers no AUTHENTICATE PLAIN")
    _require(await wire.call("LOGIN", quoted(account.name or ""), quoted(secret)), "", secret)


def chosen(account: ImapMailbox, capabilities: Collection[str]) -> Mechanism | None:
    """How to log in; None: LOGIN. Raises LoginRefused where the server offers nothing that we may use."""
    match account.auth:
        case "auto" if "AUTH=PLAIN" in capabilities:
            return "plain"
        case "auto" | "login" if "LOGINDISABLED" in capabilities:
            raise LoginRefused("the server takes no password here (LOGINDISABLED): use its TLS port or `auth: xoauth2`")
        case "auto" | "login":
            return None
        case mechanism:
            return mechanism


async def _sasl(wire: Wire, mechanism: Mechanism, token: bytes, secret: str) -> None:
    reason = ""
    sent = "SASL-IR" in wire.capabilities

    async def dialogue(exchange: Exchange) -> None:
        nonlocal reason, sent
        for _ in range(_EXCHANGES):
            challenge = await exchange.prompt()
            if challenge is None:
                return
            # After the token any further challenge is an error report, which wants an empty line before the NO.
            exchange.line(b"" if sent else token)
            reason = reported(challenge) if sent and not reason else reason
            sent = True
        raise Lost("protocol", "the server does not come to an end with AUTHENTICATE")

    arguments = (mechanism.upper(), token.decode()) if sent else (mechanism.upper(),)
    _require(await wire.call("AUTHENTICATE", *arguments, dialogue=dialogue), reason, secret)


def _require(reply: Reply, reason: str, secret: str) -> None:
    status = reply.status
    if reply.is_ok:
        return
    if status.code in _ITS_OWN_FAULT:
        raise Lost("closed", f"the server cannot log anybody in now [{status.code}]: {without(secret, status.text)}")
    raise LoginRefused(f"the login is refused: {without(secret, _why(status, reason))}")


def _why(status: Status, reason: str) -> str:
    parts = (f"[{status.code}]" if status.code else "", status.text, f"(status {reason})" if reason else "")
    return " ".join(part for part in parts if part)
