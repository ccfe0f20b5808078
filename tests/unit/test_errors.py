"""Why something failed, in words that an operator knows."""

import errno
import socket

import pytest

from postroom.errors import cause


class AuthenticationError(Exception):
    """As redis-py has it."""


def wrapped(error: BaseException) -> BaseException:
    outer = RuntimeError("what a library says")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"), "connection refused"),
        (wrapped(ConnectionRefusedError(errno.ECONNREFUSED, "")), "connection refused"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 111] too"), "connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "name or service not known"),
        (TimeoutError(), "no answer in time"),
        (wrapped(AuthenticationError("geheim")), "the password is wrong or missing"),
        (ValueError("geheim"), "ValueError"),
    ],
)
def test_the_systems_words_are_told_and_no_others(error: BaseException, told: str) -> None:
    assert cause(error) == told
