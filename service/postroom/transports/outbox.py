"""A Maildir in place of a server: what would have been sent lies there, one file for each recipient."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from postroom.pipeline.outgoing import Mail, Reply
from postroom.transports import maildir


@dataclass(frozen=True, kw_only=True)
class Outbox:
    """The envelope stands on top, as Return-Path and X-Original-To. A second try of a mail adds nothing."""

    directory: Path
    host: str
    holds: bool = False

    def prepare(self) -> bool:
        return True

    def send(self, mail: Mail) -> Mapping[str, Reply]:
        """Raises Temporary where the disk does not take it."""
        return {one: self._put(mail, one) for one in mail.recipients}

    def _put(self, mail: Mail, recipient: str) -> Reply:
        name = hashlib.sha256(f"{mail.key} {recipient}".encode("utf-8", "replace")).hexdigest()[:26]
        head = f"Return-Path: <{_line(mail.sender)}>\r\nX-Original-To: {_line(recipient)}\r\n"
        new = maildir.deliver(
            [head.encode("utf-8", "replace"), *mail.chunks],
            self.directory,
            key=name,
            received=datetime.now(UTC),
            host=self.host,
        )
        return Reply(code=250, text="delivered into the outbox" if new else "it lies in the outbox already")


def _line(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)
