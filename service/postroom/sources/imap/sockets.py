"""TCP and TLS towards an IMAP server."""

import asyncio
import socket
from asyncio import sslproto
from contextlib import suppress

from postroom.settings.mailboxes import ImapMailbox
from postroom.sources.imap.protocol import Protocol
from postroom.sources.losses import lost
from postroom.sources.tls import context_of

# Of each TLS connection's read buffer; asyncio's own 256 KiB are most of what an idle mailbox costs. A
# megabyte read costs 3 ms of CPU with 4 KiB, 2 with 8 KiB, 1 with asyncio's own.
TLS_BUFFER = 1 << 12
_KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4, "TCP_USER_TIMEOUT": 120_000}
_SHUTDOWN_SECONDS = 5.0


async def connected(account: ImapMailbox) -> Protocol:
    """A connection whose greeting has not come yet; TLS is up where it begins with the connection. Raises Lost."""
    loop = asyncio.get_running_loop()
    seconds = account.timeout.total_seconds()
    protocol = Protocol(loop)
    _lower_tls_buffers()
    try:
        context = context_of(account.tls_ca) if account.is_encrypted else None
        async with asyncio.timeout(seconds):
            await loop.create_connection(
                lambda: protocol,
                account.host,
                account.port,
                happy_eyeballs_delay=0.25,
                ssl=context,
                ssl_handshake_timeout=seconds if context else None,
                ssl_shutdown_timeout=_SHUTDOWN_SECONDS if context else None,
            )
    except (OSError, ValueError) as error:
        raise lost(error) from error
    _keep_alive(protocol.transport)
    return protocol


async def encrypt(protocol: Protocol, account: ImapMailbox) -> None:
    """TLS from here on, after the server's OK to STARTTLS. Raises Lost."""
    loop = asyncio.get_running_loop()
    seconds = account.timeout.total_seconds()
    try:
        async with asyncio.timeout(seconds):
            transport = await loop.start_tls(
                protocol.transport,
                protocol,
                context_of(account.tls_ca),
                server_hostname=account.host,
                ssl_handshake_timeout=seconds,
                ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
            )
    except (OSError, ValueError) as error:
        protocol.fail(lost(error))
    if protocol.lost is not None:
        raise protocol.lost
    assert transport is not None
    protocol.encrypted(transport)


def _lower_tls_buffers() -> None:
    # No public way to say so; where asyncio loses the attribute, connections only weigh more.
    if hasattr(sslproto.SSLProtocol, "max_size"):
        sslproto.SSLProtocol.max_size = TLS_BUFFER


def _keep_alive(transport: asyncio.BaseTransport) -> None:
    connection: socket.socket = transport.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
