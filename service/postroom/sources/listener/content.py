"""A message as it comes in: small ones stay in memory, larger ones go to the spool as they come."""

import asyncio
import re
from typing import Final, Self

from postroom.errors import Temporary
from postroom.sources import Desk
from postroom.sources.listener import replies
from postroom.spool import Blob, Draft

_HEAD: Final = 1 << 14  # octets that are looked at for fields, at least
_RETURN_PATH: Final = re.compile(rb"^return-path[ \t]*:.*(?:\n[ \t].*)*(?:\n|\Z)", re.IGNORECASE | re.MULTILINE)
_MESSAGE_ID: Final = re.compile(rb"^message-id[ \t]*:\s*(<[^<>\r\n]{1,1000}>)", re.IGNORECASE | re.MULTILINE)


class Content:
    """Takes pieces until `failure` says what is to be answered instead; from then on they are dropped.

    A Return-Path that the message brings along is left out: it is the last server's to write, once
    (RFC 5321 4.4). A context that is left before `finish` leaves nothing in the spool.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._pieces: list[bytes] = []
        self._draft: Draft | None = None
        self._most = max(desk.inline, _HEAD)
        self.size = 0  # octets that came
        self.failure: bytes | None = None
        self.message_id: str | None = None

    def add(self, piece: bytes) -> None:
        """Take more of it. A full disk or one octet too many becomes the failure."""
        self.size += len(piece)
        if self.size > self._desk.largest:
            self._fail(replies.TOO_LARGE)
        if self.failure is not None:
            return
        try:
            if self._draft is not None:
                self._draft.write(piece)
                return
            self._pieces.append(piece)
            if self.size > self._most:
                self._spill()
        except Temporary:
            self._fail(replies.NO_SPACE)

    async def finish(self, limit: float) -> bytes | Blob:
        """The message, durable where it lies in the spool. Raises Temporary, TimeoutError after so many seconds."""
        if self._draft is None and self.size <= self._desk.inline:
            return self._head()
        if self._draft is None:
            self._spill()
        assert self._draft is not None
        async with asyncio.timeout(limit):
            return await self._desk.store(self._draft)

    def _spill(self) -> None:
        head = self._head()
        self._draft = self._desk.draft()
        self._draft.write(head)
        self._pieces.clear()

    def _head(self) -> bytes:
        """What has come so far, read for the two fields that matter here."""
        octets = b"".join(self._pieces)
        end = _header(octets)
        fields = octets[:end].lower()
        if b"message-id" in fields and (found := _MESSAGE_ID.search(octets, 0, end)):
            self.message_id = found[1].decode("utf-8", "replace")
        if b"return-path" in fields:
            return _RETURN_PATH.sub(b"", octets[:end]) + octets[end:]
        return octets

    def _fail(self, reply: bytes) -> None:
        if self.failure is None:
            self.failure = reply
            self._pieces.clear()
            self._discard()

    def _discard(self) -> None:
        if self._draft is not None:
            self._draft.discard()
            self._draft = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._discard()


def _header(octets: bytes) -> int:
    """Where the empty line begins; of a message that has none yet, its end."""
    found = [place + 1 for blank in (b"\n\r\n", b"\n\n") if (place := octets.find(blank)) >= 0]
    return min(found, default=len(octets))
