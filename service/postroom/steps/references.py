"""What an answer refers to (RFC 5322 §3.6.4)."""

import re
from typing import Final

from postroom.message import Message

MOST: Final = 20
_ID: Final = re.compile(r"<[!-;=?-~]{1,250}>")


def own_id(message: Message) -> str:
    """The message's own id, where it is one that may stand in a header of ours."""
    return message.message_id if message.message_id and _ID.fullmatch(message.message_id) else ""


def references(message: Message) -> tuple[str, ...]:
    """What the message refers to, else what it answers, then itself; of many the first and the latest."""
    known = message.references or (message.in_reply_to if len(message.in_reply_to) == 1 else ())
    found = [one for one in known if _ID.fullmatch(one)]
    kept = found[:1] + found[1:][-(MOST - 2) :]
    own = own_id(message)
    return (*kept, own) if own else ()
