"""Whether a mailbox can be used as it is configured: `postroom check --connect`. Nothing is changed there."""

import asyncio
import os
import socket
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from postroom.errors import Permanent
from postroom.settings.mailboxes import (
    ImapMailbox,
    ListenerMailbox,
    Mailbox,
    MaildirMailbox,
    MoveTo,
    Pop3Mailbox,
    StdinMailbox,
)

LONGEST = 120.0  # seconds for one mailbox; each answer of a server has the mailbox's own limit besides


async def probe(mailbox: Mailbox, base: Path, folders: Collection[str] = ()) -> str:
    """What was found to work. `folders`: those that have to be there already. Raises Permanent, Temporary, and
    TimeoutError."""
    async with asyncio.timeout(LONGEST):
        match mailbox:
            case ImapMailbox():
                return await imap(mailbox, folders)
            case Pop3Mailbox():
                return await pop3(mailbox)
            case MaildirMailbox():
                return maildir(Path(os.path.normpath(mailbox.directory(base))))
            case ListenerMailbox():
                return await asyncio.to_thread(listener, mailbox, base)
            case StdinMailbox():
                return "is read by `postroom filter`"
            case _:
                raise Permanent(f"a mailbox of the kind {mailbox.kind} cannot be tried")


async def imap(account: ImapMailbox, folders: Collection[str]) -> str:
    """Log in, and look for its folders."""
    from postroom.sources.allowance import Allowance
    from postroom.sources.imap.connection import Imap
    from postroom.sources.imap.targets import Targets

    wanted = [*account.folders, *folders]
    if isinstance(account.handled, MoveTo) and not account.create:
        wanted.append(account.handled.move)
    async with await Imap.open(account) as connection:
        targets = Targets(imap=connection, creates=False, allowance=Allowance(lambda: datetime.now(UTC)))
        found = [await targets.find(name, create=False) for name in dict.fromkeys(wanted)]
        pushes = "with IDLE" if connection.has("IDLE") else "without IDLE, polled"
    return f"logged in, {pushes}; there are: {', '.join(found)}"


async def pop3(account: Pop3Mailbox) -> str:
    """Log in, and see whether messages have names."""
    from postroom.sources.pop3.authentication import log_in
    from postroom.sources.pop3.client import Client
    from postroom.sources.pop3.listing import listing

    client = await Client.greeted(account)
    try:
        await log_in(client, account)
        await client.ask_capabilities()
        found = await listing(client)
        await client.quit()
    finally:
        client.close()
    return f"logged in; messages there: {len(found.messages)}"


def maildir(directory: Path) -> str:
    """See whether it can be written to."""
    if not directory.exists():
        parent = next(one for one in directory.parents if one.exists())
        if not os.access(parent, os.W_OK | os.X_OK):
            raise Permanent(f"there is no {directory}, and {parent} does not let us make it")
        return f"{directory} will be made"
    for part in (directory, directory / "new", directory / "cur", directory / "tmp"):
        if part.exists() and not os.access(part, os.R_OK | os.W_OK | os.X_OK):
            raise Permanent(f"{part} cannot be read and written by this user")
    return f"{directory} can be read and written"


def listener(mailbox: ListenerMailbox, base: Path) -> str:
    """Whoever listens there already is taken for the running service; else try to."""
    from postroom.sources.listener.sockets import listening
    from postroom.sources.listener.source import tls_of

    tls_of(mailbox)
    if _answers(mailbox, base):
        return "is listened on already"
    with listening(mailbox, base):
        return "can be listened on"


def _answers(mailbox: ListenerMailbox, base: Path) -> bool:
    path = mailbox.socket(base)
    seconds = mailbox.timeout.total_seconds()
    with suppress(OSError):
        if path is None:
            parts = urlsplit(mailbox.url)
            with socket.create_connection((parts.hostname or "", parts.port or 0), seconds):
                return True
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trying:
            trying.settimeout(seconds)
            trying.connect(str(path))
            return True
    return False
