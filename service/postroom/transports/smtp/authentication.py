"""Who we are, proved: AUTH with PLAIN, LOGIN, SCRAM-SHA-256 or XOAUTH2 (RFC 4954)."""

import base64
import binascii
from typing import Final

from postroom.transports.discretion import without
from postroom.transports.smtp.answers import Answer
from postroom.transports.smtp.scram import Scram
from postroom.transports.smtp.terms import Credentials
from postroom.transports.smtp.trouble import Trouble
from postroom.transports.smtp.wire import Wire

PREFERRED: Final = ("SCRAM-SHA-256", "PLAIN", "LOGIN")  # for `auto`, where no token is given


class LoginRefused(Trouble):
    """The server does not take what we say of ourselves: a person has to look."""


def log_in(wire: Wire, credentials: Credentials, offered: frozenset[str]) -> None:
    """Raises LoginRefused, Trouble, and Temporary where the secret cannot be had."""
    mechanism = _chosen(credentials, offered)
    secret = credentials.secret()
    if any(char < " " or char == "\x7f" for char in credentials.user + secret):
        raise LoginRefused("the user or its secret holds a control character")
    match mechanism:
        case "PLAIN":
            answer = _said(wire, f"AUTH PLAIN {_base64(f'{chr(0)}{credentials.user}{chr(0)}{secret}')}")
        case "LOGIN":
            answer = _login(wire, credentials.user, secret)
        case "XOAUTH2":
            answer = _token(wire, credentials.user, secret)
        case _:
            answer = _scram(wire, Scram(credentials.user, secret))
    if answer.code != 235:
        raise LoginRefused(f"the login is refused: {without(secret, str(answer))}")


def _chosen(credentials: Credentials, offered: frozenset[str]) -> str:
    wanted = (credentials.mechanism.upper(),) if credentials.mechanism != "auto" else PREFERRED
    found = next((one for one in wanted if one in offered), None)
    if found is None:
        raise LoginRefused(f"the server does not offer to log in with {' or '.join(wanted)}")
    return found


def _login(wire: Wire, user: str, secret: str) -> Answer:
    answer = _said(wire, "AUTH LOGIN")
    for value in (user, secret):
        if answer.code != 334:
            break
        answer = _said(wire, _base64(value))
    return answer


def _token(wire: Wire, user: str, token: str) -> Answer:
    answer = _said(wire, f"AUTH XOAUTH2 {_base64(f'user={user}{chr(1)}auth=Bearer {token}{chr(1)}{chr(1)}')}")
    # A report of what is wrong, to be answered with an empty line before the server says no.
    return _said(wire, "") if answer.code == 334 else answer


def _scram(wire: Wire, scram: Scram) -> Answer:
    answer = _said(wire, f"AUTH SCRAM-SHA-256 {_base64(scram.first)}")
    if answer.code != 334:
        return answer
    answer = _said(wire, _base64(scram.final(_challenge(answer))))
    if answer.code not in (235, 334):
        return answer
    # Some send the proof with the 235, some before it.
    if not scram.proved_by(_challenge(answer)):
        raise LoginRefused("the server does not know our password either: somebody may be in between")
    return _said(wire, "") if answer.code == 334 else answer


def _challenge(answer: Answer) -> str:
    text = answer.lines[0]
    # A 235 may begin with an enhanced status code.
    try:
        return base64.b64decode(text.rpartition(" ")[2], validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _said(wire: Wire, text: str) -> Answer:
    wire.send([f"{text}\r\n".encode()])
    return wire.answer()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
