"""Rspamd's normal worker: POST /checkv2 over HTTP, answered with JSON."""

import re
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Final

from pydantic_core import from_json

from postroom.errors import Temporary
from postroom.pipeline.tools import Scanner
from postroom.pipeline.view import View
from postroom.transports.scanner import ANSWER, Line, away

SYMBOLS: Final = 200
_SYMBOL: Final = re.compile(r"[\w.:-]{1,100}", re.ASCII)
_UNFIT: Final = re.compile(r"[\x00-\x20\x7f-\x9f]")  # what no header of HTTP may hold
_RECIPIENTS: Final = 100


@dataclass(frozen=True, slots=True)
class Told:
    """Its score, what it would do (`no action`, `add header`, `reject` …), and the symbols that it found."""

    score: float
    action: str
    symbols: tuple[str, ...]


def ask(scanner: Scanner, view: View) -> Told:
    """Raises Temporary."""
    with away("rspamd"):
        connection = HTTPConnection("localhost")
        with Line.to(scanner.url, scanner.timeout) as line:
            connection.sock = line
            try:
                connection.putrequest("POST", "/checkv2")
                for name, value in _headers(view):
                    connection.putheader(name, value)
                connection.endheaders(memoryview(view.message.raw))
                with connection.getresponse() as response:
                    status, answer = response.status, response.read(ANSWER + 1)
            except HTTPException:
                raise Temporary("what it answers is no HTTP") from None
        if status != 200:
            raise Temporary(f"it answers with the status {status}")
        return _read(answer)


def _headers(view: View) -> list[tuple[str, str | bytes]]:
    headers: list[tuple[str, str | bytes]] = [("Content-Length", str(view.message.size)), ("Queue-Id", view.key)]
    sender, recipients = view.envelope.sender, view.envelope.recipients[:_RECIPIENTS]
    addresses = [("From", sender)] if sender else []
    addresses += [("Rcpt", recipient) for recipient in recipients]
    return headers + [(name, one.encode()) for name, one in addresses if one.isprintable() and not _UNFIT.search(one)]


def _read(answer: bytes) -> Told:
    unread = Temporary("what it answers cannot be understood")
    if len(answer) > ANSWER:
        raise unread
    try:
        told = from_json(answer, allow_inf_nan=False)
    except ValueError:
        raise unread from None
    score = told.get("score") if isinstance(told, dict) else None
    action = told.get("action") if isinstance(told, dict) else None
    if isinstance(score, bool) or not isinstance(score, int | float) or abs(score) > 1e6 or not isinstance(action, str):
        raise unread
    symbols = told.get("symbols")
    names = [name for name in symbols if _SYMBOL.fullmatch(name)] if isinstance(symbols, dict) else []
    return Told(float(score), action.lower(), tuple(sorted(names)[:SYMBOLS]))
