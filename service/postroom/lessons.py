"""Where messages to learn from lie: directories, Maildirs, mbox files, and folders of mailboxes in the settings."""

import asyncio
import json
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from postroom.errors import Permanent, Temporary
from postroom.message import parse
from postroom.settings import Settings
from postroom.settings.mailboxes import ImapMailbox, MaildirMailbox
from postroom.transports.files import explained
from postroom.transports.maildir import folder_path

LARGEST: Final = 1 << 20  # octets; what is larger is left out: nobody sorts spam by it
_GLANCE: Final = 0.2  # seconds
T = TypeVar("T")
Count = Callable[[int], None]
Take = Callable[[bytes], None]
Keep = Callable[[], None]  # makes what was taken durable, before it is written down as read


@dataclass(frozen=True, slots=True)
class Files:
    """A Maildir (its `new` and `cur`), a directory of messages, an mbox file, or one message."""

    path: Path

    def teach(self, count: Count, take: Take, keep: Keep) -> None:
        with explained(self.path):
            files = list(self._files())
        count(len(files))
        for file in files:
            with explained(file), suppress(FileNotFoundError):  # a mail program has moved it meanwhile
                for raw in _messages(file):
                    take(raw)

    def _files(self) -> Iterator[Path]:
        if not self.path.is_dir():
            yield self.path
            return
        inner = [self.path / name for name in ("new", "cur")] if (self.path / "cur").is_dir() else [self.path]
        for directory in inner:
            for root, _, names in os.walk(directory):
                found = (Path(root, name) for name in sorted(names) if not name.startswith("."))
                yield from (file for file in found if file.is_file())  # a pipe would be waited for


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder on an IMAP server. What was read is written down in `places`: the next time only what is new is."""

    mailbox: str
    account: ImapMailbox
    folder: str
    places: Path
    history: bool = True  # whether all that lies there is read the first time
    stopped: Callable[[], bool] = lambda: False  # asked now and then, whatever the server does

    def teach(self, count: Count, take: Take, keep: Keep) -> None:
        from postroom.sources.imap.lessons import Place, read

        known = _known(self.places)
        key = f"{self.mailbox}:{self.folder}"
        before = Place(*known[key]) if key in known else None
        reading = read(self.account, self.folder, before, history=self.history, count=count, take=take)
        place = asyncio.run(_unless(self.stopped, reading))
        keep()
        known[key] = [place.validity, place.next]
        with explained(self.places):
            new = self.places.with_suffix(".new")
            new.write_text(json.dumps(known))
            new.replace(self.places)


async def _unless(stopped: Callable[[], bool], reading: Coroutine[Any, Any, T]) -> T:
    """What it reads; Temporary once it was stopped."""
    task = asyncio.ensure_future(reading)
    while not stopped():
        done, _ = await asyncio.wait({task}, timeout=_GLANCE)
        if done:
            return task.result()
    task.cancel()
    await asyncio.wait({task})
    raise Temporary("learning was stopped")


def lesson(where: str, settings: Callable[[], Settings], directory: Path) -> Files | Folder:
    """What WHERE means: a path, else MAILBOX:FOLDER. Raises Permanent with what would be possible."""
    name, colon, folder = where.partition(":")
    if not colon or "/" in name or Path(where).exists():
        if not Path(where).exists():
            raise Permanent(
                f"{where}: there is no such file or directory, and no mailbox is meant without MAILBOX:FOLDER"
            )
        return Files(Path(where))
    mailbox = settings().mailboxes.get(name)
    if isinstance(mailbox, ImapMailbox) and folder:
        return Folder(name, mailbox, folder, directory / "places.json")
    if isinstance(mailbox, MaildirMailbox) and folder:
        root = mailbox.directory(settings().file.absolute().parent)
        inner = folder_path(root, "" if folder.upper() == "INBOX" else folder)
        if not (inner / "cur").is_dir():
            raise Permanent(f"{where}: the mailbox `{name}` has no folder `{folder}`")
        return Files(inner)
    known = [one for one, kind in settings().mailboxes.items() if isinstance(kind, ImapMailbox | MaildirMailbox)]
    raise Permanent(f"{where}: no such IMAP or Maildir mailbox; there are: {', '.join(known) or 'none'}")


def learn_from(mailbox: str, account: ImapMailbox, directory: Path, stopped: Callable[[], bool]) -> int:
    """Learn what came into the folders of `learn:` since the last time, and answer how many messages that were.

    What the filter takes for what it is anyhow is passed over: most of it was put there by the filter, and would
    only make it surer of itself. Raises Temporary, Permanent, and Temporary once `stopped`.
    """
    from postroom.bayes.filter import Filter
    from postroom.bayes.learner import Learner

    assert account.learn is not None
    bayes, learned = Filter(directory), 0
    with Learner(directory) as learner:
        for folders, verdict in ((account.learn.spam, "spam"), (account.learn.ham, "ham")):

            def take(raw: bytes, verdict: str = verdict) -> None:
                nonlocal learned
                message = parse(raw)
                if bayes.classify(message).verdict != verdict:
                    learned += learner.learn(message, spam=verdict == "spam")

            for folder in folders:
                one = Folder(mailbox, account, folder, directory / "places.json", history=False, stopped=stopped)
                one.teach(lambda _: None, take, learner.sync)
    return learned


def _messages(file: Path) -> Iterator[bytes]:
    """Those of an mbox, or the one that a file is."""
    with file.open("rb") as stream:
        start = stream.read(5)
        stream.seek(0)
        if start == b"From ":
            yield from _mbox(stream)
        elif len(raw := stream.read(LARGEST + 1)) <= LARGEST and raw:
            yield raw


def _mbox(stream: BinaryIO) -> Iterator[bytes]:
    """Messages that begin with a line `From ` behind an empty one; those that are too large are left out."""
    lines: list[bytes] = []
    size, blank, whole = 0, True, True  # whether the line before was empty, and ended
    while line := stream.readline(LARGEST):
        if not whole:  # the rest of a line that is larger than a message may be
            size = LARGEST + 1
        elif blank and line.startswith(b"From "):
            if 0 < size <= LARGEST:
                yield b"".join(lines)
            lines, size = [], 0
        else:
            size += len(line)
            if size <= LARGEST:
                lines.append(line)
        blank, whole = whole and line in (b"\n", b"\r\n"), line.endswith(b"\n")
    if 0 < size <= LARGEST:
        yield b"".join(lines)


def _known(places: Path) -> dict[str, list[int]]:
    """How far folders were read; a file that cannot be understood means that they are read anew."""
    try:
        found = json.loads(places.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        str(key): [int(one) for one in value]
        for key, value in found.items()
        if isinstance(value, list) and len(value) == 2 and all(isinstance(one, int) for one in value)
    }
