"""Visits of the POP3 source to a server that lies."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from desks import MemoryDesk, running
from postroom.settings.mailboxes import Pop3Mailbox
from postroom.sources.pop3.source import Pop3Source
from servers.pop3liar import Liar, serving

ONE = b"Return-Path: <a@x>\r\nMessage-ID: <1@x>\r\n\r\nbody 1\r\n"
TWO, THREE = (b"Message-ID: <%d@x>\r\n\r\nbody %d\r\n" % (number, number) for number in (2, 3))
MAIL = [("a", ONE), ("b", TWO), ("c", THREE)]
GONE = {"place": "gone"}


def raising(error: Exception) -> Any:
    def answer() -> bytes:
        raise error

    return answer


def once(liar: Liar, command: str, error_or_answer: Exception | bytes) -> None:
    """Say or do it the first time only."""

    def answer() -> bytes:
        del liar.answers[command]
        if isinstance(error_or_answer, Exception):
            raise error_or_answer
        return error_or_answer

    liar.answers[command] = answer


def account(liar: Liar, **options: Any) -> Pop3Mailbox:
    given: dict[str, Any] = {
        "url": f"pop3://127.0.0.1:{liar.port}", "user": "u", "password": "secret", "tls": "off", "start": "all",
        "poll": "1s", "timeout": "5s",
    }  # fmt: skip
    return Pop3Mailbox.model_validate(given | options)


@asynccontextmanager
async def visiting(liar: Liar, desk: MemoryDesk, *, linger: float = 0, **options: Any) -> AsyncIterator[None]:
    async with serving(liar), running(Pop3Source(account(liar, **options), linger=linger), desk):
        yield
