"""Did you mean …: the nearest of the words that would have been right."""

from collections.abc import Iterable
from typing import Final

# What other tools call it (Sieve, procmail, imapfilter, mail clients), and habit writes.
ELSEWHERE: Final = {
    "fileinto": "move", "label": "copy", "mailbox": "move", "redirect": "forward", "resend": "forward",
    "bcc": "forward", "vacation": "reply", "autoreply": "reply", "respond": "reply", "delete": "discard",
    "trash": "discard", "drop": "discard", "addflag": "flag", "setflag": "flag", "mark": "flag", "seen": "flag",
    "removeflag": "unflag", "addheader": "header", "deleteheader": "header", "ereject": "reject",
    "bounce": "reject", "pipe": "exec", "execute": "exec", "command": "exec", "filter": "script", "save": "file",
    "maildir": "file", "mbox": "file", "call": "run", "include": "run", "http": "webhook", "post": "webhook",
    "url": "webhook", "alert": "notify", "dedupe": "duplicate", "finish": "stop", "clamav": "virus",
    "spamassassin": "spam", "dkim": "authenticate", "spf": "authenticate", "dmarc": "authenticate",
    "return-path": "sender", "envelope-from": "sender", "mail-from": "sender", "rcpt": "envelope-to",
    "delivered-to": "envelope-to", "text": "body", "content": "body", "has-attachment": "attachments",
    "list": "list-id", "larger": "size", "hour": "time", "hours": "time", "day": "weekday",
    "automatic": "auto-submitted", "flag": "flags", "equals": "is", "eq": "is", "equal": "is", "regexp": "regex",
    "re": "regex", "pattern": "regex", "glob": "matches", "like": "matches", "begins-with": "starts-with",
    "startswith": "starts-with", "endswith": "ends-with", "in": "in-file",
}  # fmt: skip


def suggestion(word: str, known: Iterable[str], *, most: int = 12) -> str:
    """`; did you mean `x`?`, or the words to choose from where none is near and they are few, or nothing."""
    names = sorted(set(known))
    if (meant := ELSEWHERE.get(word.lower().replace("_", "-"))) in names:
        return f"; here that is `{meant}`"
    if near := nearest(word, names):
        return f"; did you mean `{near}`?"
    if 0 < len(names) <= most:
        return "; known here: " + ", ".join(f"`{name}`" for name in names)
    return ""


def nearest(word: str, known: Iterable[str]) -> str:
    """The word that was probably meant; empty where none is near."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.6)), "")
