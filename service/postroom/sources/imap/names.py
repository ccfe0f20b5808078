"""Folder names: as operators write them, and as a server wants them."""

from dataclasses import dataclass

from postroom.transports import mutf7

SPECIAL = ("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash")
# Names that servers without SPECIAL-USE (RFC 6154) commonly give to these, most usual first.
_CUSTOMARY = {
    "\\archive": ("Archive", "Archives", "[Gmail]/All Mail"),
    "\\drafts": ("Drafts", "Draft", "[Gmail]/Drafts"),
    "\\junk": ("Junk", "Spam", "Junk E-mail", "Junk Email", "Bulk Mail", "[Gmail]/Spam"),
    "\\sent": ("Sent", "Sent Items", "Sent Messages", "Sent Mail", "[Gmail]/Sent Mail"),
    "\\trash": ("Trash", "Deleted Items", "Deleted Messages", "Deleted", "Bin", "[Gmail]/Trash"),
}


def quoted(text: str) -> str:
    """A quoted string. Line breaks and NUL are refused where commands are sent."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def is_special(name: str) -> bool:
    """Whether an operator's name asks for a folder by its use: `\\Junk`."""
    return name.startswith("\\")


def customary(special: str) -> tuple[str, ...]:
    """What a folder of this use is called where the server does not say; the first is the name of a new one."""
    return _CUSTOMARY.get(special.lower(), (special.lstrip("\\"),))


def folded(name: str) -> str:
    """The name with INBOX in capitals, also as the first level: it means the same in any case (RFC 3501 5.1)."""
    first, slash, rest = name.partition("/")
    return f"INBOX{slash}{rest}" if first.upper() == "INBOX" else name


@dataclass(frozen=True, slots=True)
class Naming:
    """How one server writes names. `prefix`: of the personal namespace, with its delimiter (RFC 2342). `delimiter`:
    None where folders have no levels. `utf8`: UTF8=ACCEPT is enabled (RFC 6855)."""

    prefix: str = ""
    delimiter: str | None = "/"
    utf8: bool = False

    def written(self, name: str) -> str:
        """An operator's name, levels parted by `/`, as an argument of a command."""
        return quoted(self.encoded(self.placed(name)))

    def placed(self, name: str) -> str:
        """With the server's delimiter, below the personal namespace."""
        inner = folded(name)
        if self.delimiter and self.delimiter != "/":
            inner = inner.replace("/", self.delimiter)
        is_inbox = inner == "INBOX" or (self.delimiter and inner.startswith(f"INBOX{self.delimiter}"))
        return inner if is_inbox or not self.prefix or inner.startswith(self.prefix) else self.prefix + inner

    def same(self, one: str, other: str) -> bool:
        """Whether two operators' names mean one folder of this server."""
        return self.placed(one) == self.placed(other)

    def encoded(self, name: str) -> str:
        return name if self.utf8 else mutf7.encode(name)

    def read(self, name: bytes) -> str:
        """A server's name as operators write it."""
        text = name.decode("utf-8", "replace")
        if not self.utf8:
            text = mutf7.decode(text)
        if self.prefix and text.startswith(self.prefix) and folded(self.prefix[:5]) != "INBOX":
            text = text[len(self.prefix) :]
        if self.delimiter and self.delimiter != "/":
            text = text.replace(self.delimiter, "/")
        return folded(text)
