"""What lies in the folders of a mailbox on Dovecot, and letters and rules for it."""

import re

from servers.dovecot import Dovecot

MOVE = "rules: [{name: all, do: [{move: Done}]}]"
DISCARD = "rules: [{name: all, do: [discard]}]"
MARK = 'rules: [{name: all, do: [{subject: {prefix: "[x] "}}, {move: Done}]}]'


def letter(number: int, body: bytes = b"hello") -> bytes:
    head = f"From: jane@home.example\r\nSubject: letter {number}\r\nMessage-ID: <{number}@home.example>\r\n\r\n"
    return head.encode() + body + b"\r\n"


def uids(server: Dovecot, user: str, folder: str = "INBOX") -> list[int]:
    with server.client(user, folder) as client:
        return [int(uid) for uid in client.uid("SEARCH", "ALL")[1][0].split()]


def flags(server: Dovecot, user: str, folder: str = "INBOX") -> list[set[str]]:
    """Of each message, without \\Recent."""
    with server.client(user, folder) as client:
        _, lines = client.uid("FETCH", "1:*", "(FLAGS)")
    found = [re.search(rb"FLAGS \(([^)]*)\)", line) for line in lines if line]
    return [set(one[1].decode().split()) - {"\\Recent"} for one in found if one]


def bodies(server: Dovecot, user: str, folder: str = "INBOX") -> list[bytes]:
    with server.client(user, folder) as client:
        _, found = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
    return [one[1] for one in found if isinstance(one, tuple)]
