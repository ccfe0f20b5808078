"""File names in a Maildir (maildir(5)): a base that stays, and behind `:2,` flags that every reader may change."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from postroom.ledger.columns import indexed
from postroom.transports.maildir import LETTERS, letters_of

FLAGS = {
    letter: flag for flag, letter in (("\\" + k[1:].capitalize(), v) for k, v in LETTERS.items() if k[0] == "\\")
} | {LETTERS["$forwarded"]: "$Forwarded"}


def key_of(name: str) -> str:
    """The source key: what stays of a name, as text that every database takes. Names that differ have keys that do."""
    base = name.partition(":")[0].replace("\\", "\\\\")
    return indexed(base if base.isascii() else os.fsencode(base).decode("utf-8", "backslashreplace"))


def letters_in(name: str) -> frozenset[str]:
    """The flags' letters; lower-case ones are keywords of Dovecot's."""
    _, mark, letters = name.partition(":2,")
    return frozenset(letters.partition(",")[0]) if mark else frozenset()


def flags_in(name: str) -> frozenset[str]:
    """The flags as IMAP writes them."""
    return frozenset(FLAGS[letter] for letter in letters_in(name) if letter in FLAGS)


def flagged(name: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> str:
    """The name with flags added and removed; letters that we do not know stay."""
    letters = (letters_in(name) | set(letters_of(add))) - set(letters_of(remove))
    return f"{name.partition(':')[0]}:2,{''.join(sorted(letters))}"


def is_message(name: str) -> bool:
    """Names that begin with a dot are none of a message (maildir(5)); nor are flags without anything that stays."""
    return not name.startswith((".", ":"))


def names_in(directory: Path) -> Iterator[str]:
    """Names of all messages there. A directory that is missing has none."""
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if is_message(entry.name):
                    yield entry.name
    except FileNotFoundError:
        return
