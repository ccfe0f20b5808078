"""What was read from the operator's files: settings and rules, which are replaced together."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from postroom.errors import Permanent
from postroom.ledger import Retention
from postroom.metrics.prometheus import Names
from postroom.pipeline.pipeline import Pipeline
from postroom.settings import Settings, find, load, load_pipelines

Stamps = Mapping[Path, tuple[int, int, int]]
"""How files were: inode, time of the last change, size."""

READINGS = 3  # at most, of files that somebody writes meanwhile
# A change of these takes a restart.
_FIXED = tuple(name for name in Settings.model_fields if name not in ("mailboxes", "pipelines", "defaults"))


@dataclass(frozen=True, kw_only=True)
class Config:
    """One reading of the files. `seen`: how they were then."""

    settings: Settings
    rules: Mapping[str, Pipeline]
    seen: Stamps

    @property
    def names(self) -> Names:
        """All that may become a label."""
        pipelines = {name: frozenset(rule.name for rule in pipeline.rules) for name, pipeline in self.rules.items()}
        mailboxes, servers = frozenset(self.settings.mailboxes), frozenset(self.settings.servers)
        return Names(mailboxes=mailboxes, servers=servers, pipelines=pipelines)

    @property
    def offered(self) -> Collection[str]:
        """Mailboxes of standard input, whose messages are their callers'."""
        return [name for name, mailbox in self.settings.mailboxes.items() if mailbox.kind == "stdin"]

    @property
    def retention(self) -> Retention:
        """How long what has ended is kept; sources that list what they hold have their keys remembered longer."""
        kinds = {name: mailbox.kind for name, mailbox in self.settings.mailboxes.items()}
        listing = frozenset(name for name, kind in kinds.items() if kind in ("imap", "pop3", "maildir"))
        # Only IMAP has a cursor. Old mail that lies in a Maildir must stay known however long it lies there.
        fading = frozenset(name for name, kind in kinds.items() if kind == "imap")
        periods = self.settings.retention
        return Retention(settled=periods.settled, dead=periods.dead, identities=listing, fading=fading)

    def look(self) -> Stamps:
        """How the files are now."""
        return stamps(self.settings.file, *self.settings.pipelines.glob("*.yaml"))

    def fixed_in(self, other: "Config") -> list[str]:
        """What the other has changed and a running service cannot follow."""
        return [name for name in _FIXED if getattr(self.settings, name) != getattr(other.settings, name)]

    def with_fixed(self, older: "Config", names: Collection[str]) -> "Config":
        """This one, but for those settings, which stay as they were."""
        settings = self.settings.model_copy(update={name: getattr(older.settings, name) for name in names})
        settings._source = self.settings.source
        return Config(settings=settings, rules=self.rules, seen=self.seen)


def read(path: Path | None) -> Config:
    """Settings and all pipelines of their mailboxes, as whole files. Raises Misconfigured."""
    for _ in range(READINGS - 1):
        config = _read(path)
        if config.look() == config.seen:
            return config
    return _read(path)  # it is a later reading's business


def _read(path: Path | None) -> Config:
    file = path or find()
    # Looked at before they are read: a change in between is one that is still to be noticed.
    seen = stamps(file)
    settings = load(file)
    seen |= stamps(*settings.pipelines.glob("*.yaml"))
    rules = load_pipelines(settings)
    settings.forget_places()
    return Config(settings=settings, rules=rules, seen=seen)


def stamps(*paths: Path) -> dict[Path, tuple[int, int, int]]:
    """How these files are now; those that are missing are left out."""
    found = {}
    for path in paths:
        with suppress(OSError):  # it is being replaced
            status = path.stat()
            found[path] = (status.st_ino, status.st_mtime_ns, status.st_size)
    return found


def watched(settings: Settings, only: Collection[str]) -> frozenset[str]:
    """The mailboxes to watch: those named, or all but standard input. Raises Permanent."""
    known = {name for name, mailbox in settings.mailboxes.items() if mailbox.kind != "stdin"}
    if unknown := sorted(set(only) - known):
        raise Permanent(f"no mailbox `{unknown[0]}` can be watched; there are: {', '.join(sorted(known)) or 'none'}")
    return frozenset(only or known)
