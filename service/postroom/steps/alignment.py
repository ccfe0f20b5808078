"""What becomes of mail whose author's domain lets nobody pass it on: its DMARC policy would have it refused."""

import re
from collections.abc import Sequence
from typing import Final, Literal

from postroom.message import Address, Header, Message, parse
from postroom.message.folding import encode_header
from postroom.pipeline.tools import Tools
from postroom.pipeline.view import View

OnDmarcFail = Literal["attach", "rewrite-from", "send", "keep"]
LONGEST: Final = 200  # characters of a name that is shown
DONE: Final = {
    "attach": "attached to a message of ours",
    "rewrite-from": "its From field is rewritten to ours",
}


def failing(view: View, fields: Sequence[tuple[str, str]], tools: Tools) -> str:
    """Why the next server would refuse the message with `fields` on top; empty: it would not. A pipeline's own tests
    go by their facts alone. Raises Temporary where the DNS does not say."""
    from postroom.authentication import onward

    auth = view.facts.auth
    if tools.given is not None:
        policy = onward.told(auth)
        policy = None if policy == "none" else policy
    else:
        policy = onward.failing(view.message, _above(view, fields), auth, tools.resolver(), view.now)
    return f"its author's domain asks for {policy} (DMARC), and no signature of it survives" if policy else ""


def _above(view: View, fields: Sequence[tuple[str, str]]) -> Sequence[Header]:
    ours = b"".join(encode_header(name, value, b"\r\n") for name, value in fields)
    return tuple(parse(ours + view.prefix).headers)


def rewritten(message: Message, address: str, host: str) -> Message:
    """With `"Name via host" <address>` as its author; who was it gets the answers, where nobody else is named."""
    fields = message.headers.fields("From")
    top = encode_header("From", f"{_shown(message, host)} <{address}>", b"\r\n")
    if fields and message.headers.get("Reply-To") is None:
        top += b"Reply-To:" + bytes(fields[0].raw).partition(b":")[2]
    view = memoryview(message.raw)
    pieces: list[bytes | memoryview] = []
    at = message.header_start
    for number, field in enumerate(fields):
        pieces += [view[at : field.start], b"" if number else top]
        at = field.end
    return parse(b"".join([*pieces, view[at:]]))


def _shown(message: Message, host: str) -> str:
    author = message.from_[0] if message.from_ else Address()
    name = re.sub(r'[\\"\s]+', " ", author.name or author.local)[:LONGEST].strip()
    return f'"{name} via {host}"'
