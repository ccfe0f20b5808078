"""What the filter looks at in a message: words, pairs of words, fields, addresses, links and tricks of HTML.

A token is a short text such as `s:cheap` (of the subject), `buy now` (two words in a row) or `url:pills.example`.
How much of a message is looked at is bounded, so that no length of text outweighs the rest.
"""

import re
from collections.abc import Iterator
from typing import Final

from postroom.bayes.hidden import split
from postroom.message import Message, html_to_text

TEXT: Final = 40_000  # characters of a body that are looked at
HIDDEN: Final = "html:hidden text"
_FIELDS: Final = 100
_LINKS: Final = 60
_UNSEEN: Final = 40  # characters; mail programs hide shorter ones, as previews
_MOST: Final = 3000  # tokens of one message
_WORD: Final = re.compile(r"[^\W_][\w'$€£!%.-]{0,30}[\w!$€£%]|[^\W_]|[!$€£]{1,5}")
# Scripts that set no spaces between words: Thai, Lao, Burmese, Khmer, Kana, Han.
_UNSPACED: Final = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_PLAIN: Final = re.compile(r"[^\W_]{2,30}")
_URL: Final = re.compile(r"\b(?:https?|ftp)://([^\s<>\"'/?#]{1,200})([^\s<>\"']{0,200})", re.IGNORECASE)
_ACTIVE: Final = re.compile(r"<(form|script|iframe|object|embed)\b", re.IGNORECASE)
_COMMENT_IN_WORD: Final = re.compile(r"\w<!--[^<>]{0,200}-->\w")
_LETTER_BY_NUMBER: Final = re.compile(r"&#(?:x[46-7][0-9a-f]|6[5-9]|[78]\d|9[07-9]|1[01]\d|12[0-2]);", re.IGNORECASE)
_IP: Final = re.compile(r"\[?(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.\d{1,3}\]?")
_HOST: Final = re.compile(r"[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,8}")
_ZONE: Final = re.compile(r"[+-]\d{4}\b")
_MARK: Final = re.compile(r"^\s*(?:\[\W*spam\W*\]|\*{2,5}\s?spam\s?\*{2,5}|\{spam\??\})\s*", re.IGNORECASE)
# What filters write, ours too: learning it would be learning what they think. Others are different in each message.
_PASSED: Final = re.compile(
    r"x-(?:spam|rspam|postroom|ms-exchange|forefront|microsoft-antispam|virus|mailscanner|keywords|mozilla|uid|status)"
    r"|(?:received|authentication-results|arc-|dkim-|domainkey-|received-spf|date|subject|from|to|cc|reply-to|sender"
    r"|message-id|in-reply-to|references|return-path|delivered-to|status|content-length|lines|x-status|x-gmail)"
)
_WORTH: Final = frozenset(
    (
        "x-mailer", "user-agent", "content-type", "content-transfer-encoding", "x-priority", "x-msmail-priority",
        "importance", "precedence", "organization", "mime-version", "x-mimeole", "content-disposition", "list-id",
        "x-originating-ip",
    )
)  # fmt: skip


def tokens(message: Message) -> tuple[str, ...]:
    """Each token once, in the order of the message."""
    found: dict[str, None] = {}
    for source in (_headers, _parts, _content):
        for token in source(message):
            found[token] = None
            if len(found) >= _MOST:
                return tuple(found)
    return tuple(found)


def _headers(message: Message) -> Iterator[str]:
    subject = _MARK.sub("", message.subject or "")[:500]
    yield from _words("s:", subject)
    if not subject:
        yield "s: none"
    for name, addresses in (("f:", message.from_), ("r:", message.reply_to), ("t:", (*message.to, *message.cc)[:10])):
        for address in addresses[:10]:
            yield f"{name}{address.spec[:100].lower()}"
            yield f"{name}@{address.domain[:100]}"
            yield f"{name}.{address.domain[-60:].rpartition('.')[2]}"
            yield from (f"{name}{word.lower()}" for word in _PLAIN.findall(address.name[:200]))
        if not addresses:
            yield f"{name} none"
    if message.reply_to and message.from_ and message.reply_to[0].domain != message.from_[0].domain:
        yield "r: another domain"
    for name, value in list(message.headers.items())[:_FIELDS]:
        field = name.lower()
        if field == "received":
            yield from _received(value[:1000].lower())
        elif field == "date":
            yield from (f"h:date {zone}" for zone in _ZONE.findall(value[:100])[:1] or ["no zone"])
        elif field == "message-id":
            yield "h:id@" + value[:200].rpartition("@")[2].strip("> ").lower()[:60]
        elif not _PASSED.match(field):
            yield f"h:{name[:60]}"
            if field in _WORTH:
                yield from (f"h:{field} {word.lower()}" for word in _PLAIN.findall(value[:200])[:12])
    if not message.message_id:
        yield "h:no message-id"
    if message.in_reply_to or message.references:
        yield "h:an answer"


def _received(value: str) -> Iterator[str]:
    came = value.partition(" by ")[0]
    for host in _HOST.findall(came)[:4]:
        if not host.replace(".", "").isdigit():
            yield "rcvd:" + ".".join(host.rsplit(".", 2)[-2:])
    for one in _IP.findall(came)[:3]:
        yield f"rcvd:{one[0]}.{one[1]}"
        yield f"rcvd:{one[0]}.{one[1]}.{one[2]}"


def _parts(message: Message) -> Iterator[str]:
    for part in message.parts[:20]:
        yield f"part:{part.content_type[:60]}"
        if part.charset:
            yield f"part:{part.charset[:30]}"
        name = part.filename
        if name:
            yield f"file:.{name.rpartition('.')[2][:10].lower()}"
            yield from (f"file:{word.lower()}" for word in _PLAIN.findall(name[:100]))


def _content(message: Message) -> Iterator[str]:
    """Of a page that stands beside a text the page is read: so do mail programs."""
    html = message.html
    text = ""
    if html is not None:
        html = html[: 3 * TEXT]
        shown, hidden = split(html)
        text = html_to_text(shown)[:TEXT]
        unseen = html_to_text(hidden)[:TEXT] if hidden else ""
        yield from _tricks(html)
        if len(unseen) > _UNSEEN:
            yield HIDDEN
            yield from (f"unseen:{word.lower()}" for word in _PLAIN.findall(unseen[:2000])[:100])
        yield from _links(html)
    if not text:
        text = (message.text or "")[:TEXT]
        yield from _links(text)
    yield from _words("", text)


def _words(prefix: str, text: str) -> Iterator[str]:
    """Words as they stand, and pairs of them in lower case; of what has no spaces, pairs of letters."""
    before = ""
    unspaced = not text.isascii() and _UNSPACED.search(text) is not None
    for word in _WORD.findall(text):
        if unspaced and _UNSPACED.search(word):
            yield from (prefix + word[at : at + 2] for at in range(max(1, len(word) - 1)))
            before = ""
            continue
        yield prefix + word
        lower = word.lower()
        if before:
            yield f"{prefix}{before} {lower}"
        before = lower


def _links(text: str) -> Iterator[str]:
    for number, link in enumerate(_URL.finditer(text)):
        if number >= _LINKS:
            return
        host = link[1].lower()
        if "@" in host:
            yield "url:with a user"
            host = host.rpartition("@")[2]
        host, _, port = host.partition(":")
        if port:
            yield "url:with a port"
        if host.replace(".", "").isdigit():
            yield "url:an address"
        yield f"url:{host[:100]}"
        yield "url:" + ".".join(host[:100].rsplit(".", 2)[-2:])
        yield from (f"url/{word.lower()}" for word in _PLAIN.findall(link[2])[:8])


def _tricks(html: str) -> Iterator[str]:
    """What hides words from filters. Other tags tell little: newsletters are as colourful as spam."""
    if _COMMENT_IN_WORD.search(html):
        yield "html:comment in a word"
    if len(_LETTER_BY_NUMBER.findall(html[:20_000])) > 10:
        yield "html:letters by number"
    for name in {name.lower() for name in _ACTIVE.findall(html)}:
        yield f"html:{name}"
