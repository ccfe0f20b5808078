"""The kinds of mailboxes that postroom.yaml may hold, told apart by the scheme of their `url`.

Every key with its type, default and meaning, written once; a source takes its kind's model as it is.
"""

from typing import Annotated

from pydantic import Discriminator, Tag

from postroom.settings import urls
from postroom.settings.mailboxes.accounts import Account, ImapMailbox, Pop3Mailbox
from postroom.settings.mailboxes.listener import ListenerMailbox, Recipient, recipients
from postroom.settings.mailboxes.local import FORMS, MaildirMailbox, StdinMailbox
from postroom.settings.mailboxes.mailbox import Mailbox, MoveTo

_KINDS = {
    "imap": "imap", "imaps": "imap", "pop3": "pop3", "pop3s": "pop3", "maildir": "maildir", "stdin": "stdin",
    "lmtp": "listener", "lmtp+unix": "listener", "smtp": "listener",
}  # fmt: skip


def is_known(value: object) -> bool:
    """Whether its url tells a kind of mailbox."""
    return urls.scheme(value) in _KINDS


def kind(value: object) -> str:
    """Which model reads a mailbox; "stdin", which says what is wrong, where its url tells none."""
    return _KINDS.get(urls.scheme(value), "stdin")


AnyMailbox = Annotated[
    Annotated[StdinMailbox, Tag("stdin")]
    | Annotated[MaildirMailbox, Tag("maildir")]
    | Annotated[ImapMailbox, Tag("imap")]
    | Annotated[Pop3Mailbox, Tag("pop3")]
    | Annotated[ListenerMailbox, Tag("listener")],
    Discriminator(kind),
]
__all__ = [
    "FORMS", "Account", "AnyMailbox", "ImapMailbox", "ListenerMailbox", "Mailbox", "MaildirMailbox", "MoveTo",
    "Pop3Mailbox", "Recipient", "StdinMailbox", "recipients",
]  # fmt: skip
