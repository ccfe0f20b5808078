"""Who we are, proved: AUTH with PLAIN, LOGIN, XOAUTH2 or OAUTHBEARER (RFC 5034), else USER and PASS."""

import asyncio
import base64

from postroom.settings.mailboxes import Pop3Mailbox
from postroom.sources.losses import LoginRefused, Lost, readable
from postroom.sources.pop3.client import Client, Rejected, Reply
from postroom.sources.sasl import Mechanism, initial_response, reported, secret_of
from postroom.transports.discretion import without

LONGEST_COMMAND = 255  # octets with CRLF (RFC 2449 4); what is longer is sent when the server asks for it
# RFC 2449 8, RFC 3206: these are about the mailbox or the server, not about us.
_FOR_NOW = ("IN-USE", "LOGIN-DELAY", "SYS/TEMP")


async def log_in(client: Client, account: Pop3Mailbox) -> None:
    """Raises LoginRefused where the server refuses us, Rejected where it only does so for now, Temporary where a secret
    cannot be had, Lost."""
    secret = await asyncio.to_thread(secret_of, account)
    offered = {mechanism.upper() for mechanism in client.capabilities.get("SASL", ())}
    try:
        if account.auth in ("xoauth2", "oauthbearer"):
            await _token(client, account.auth, account, secret)
        elif account.auth == "plain" or (account.auth == "auto" and "PLAIN" in offered):
            await _plain(client, initial_response("plain", account, secret))
        elif "LOGIN" in offered and (account.auth == "login" or "USER" not in client.capabilities):
            await _login(client, account.name or "", secret)
        else:
            await client.command(f"USER {account.name}")
            await client.command(f"PASS {secret}")
    except Rejected as error:
        # A server that knows no response codes says it in words (RFC 1939 4).
        if error.code in _FOR_NOW or (not error.code and "lock" in str(error).lower()):
            raise
        raise LoginRefused(f"the login is refused: {without(secret, str(error))}") from None


async def _plain(client: Client, response: bytes) -> None:
    command = b"AUTH PLAIN " + response
    if len(command) + 2 <= LONGEST_COMMAND:
        client.send(command)
        await client.reply()
        return
    await _asked(client, "AUTH PLAIN")
    client.send(response)
    await client.reply()


async def _login(client: Client, name: str, password: str) -> None:
    await _asked(client, "AUTH LOGIN")
    client.send(base64.b64encode(name.encode()))
    _more(await client.answer())
    client.send(base64.b64encode(password.encode()))
    await client.reply()


async def _token(client: Client, mechanism: Mechanism, account: Pop3Mailbox, token: str) -> None:
    """The token when it is asked for, as Microsoft wants it, else in one line, as others do."""
    response = initial_response(mechanism, account, token)
    command = f"AUTH {mechanism.upper()}"
    client.send(command)
    reply = await client.answer()
    client.send(response if reply.status == "+" else command.encode() + b" " + response)
    reply = await client.answer()
    if reply.status != "+":
        _refuse(reply, "")
        return
    # A report of what is wrong; it is to be answered before the server says -ERR (RFC 7628 3.2.3, Google's XOAUTH2).
    status = reported(reply.text.strip())
    client.send(b"" if mechanism == "xoauth2" else b"AQ==")
    _refuse(await client.answer(), status)


def _refuse(reply: Reply, status: str) -> None:
    if reply.status == "-ERR":
        raise Rejected(f"{readable(reply.text)}{f' (status {status})' if status else ''}", reply.code)
    if reply.status != "+OK":
        raise Lost("protocol", "the server does not come to an end with AUTH")


async def _asked(client: Client, command: str) -> None:
    client.send(command)
    _more(await client.answer())


def _more(reply: Reply) -> None:
    if reply.status == "-ERR":
        raise Rejected(f"the server says: {readable(reply.text)}", reply.code)
    if reply.status != "+":
        raise Lost("protocol", "the server logs us in before it knows who we are")
