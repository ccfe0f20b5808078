"""Settling in a Maildir++: out of `new/` into `cur/` with flags, into a folder, or away; each step safe to repeat.

What adds files is done and durable before anything is renamed or removed, so that a crash in between leaves a message
in two places at most and never in none. All that we put anywhere lies in `cur/`: it never comes back as new mail.
"""

import errno
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from postroom.errors import PostroomError, Temporary
from postroom.ledger.rows import Settled, Unsettled, Waiting
from postroom.settings.mailboxes import MaildirMailbox, MoveTo
from postroom.sources.allowance import Allowance
from postroom.sources.maildir.names import flagged, flags_in, key_of, names_in
from postroom.sources.settlement import Settlement
from postroom.transports import maildir
from postroom.transports.files import explained, sync_directory

Answer = Settled | Unsettled | Waiting


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message is to lie: a folder, "" is the inbox; None: nowhere. `add`: flags that it gets besides."""

    folder: str | None
    add: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A message's file, and the directory that it goes to; None: away."""

    work: Settlement
    file: Path
    to: Path | None
    add: frozenset[str]


@dataclass(slots=True)
class Changed:
    """Directories whose names are not durable yet; those that gained some become so before those that lost some."""

    gained: set[Path] = field(default_factory=set)
    lost: set[Path] = field(default_factory=set)

    def sync(self) -> None:
        for directories in (self.gained, self.lost):
            for directory in directories:
                sync_directory(directory)
            directories.clear()


class Settler:
    """One Maildir++. Blocking: for worker threads."""

    def __init__(self, root: Path, settings: MaildirMailbox, *, host: str) -> None:
        self._root = root
        self._settings = settings
        self._host = host
        self._allowance = Allowance(lambda: datetime.now(UTC))

    def rewrites(self, work: Settlement) -> bool:
        """Whether the message is written anew as it was edited, in place of the original."""
        return self._settings.rewrite and bool(work.edits) and (work.place != "gone" or bool(work.copies))

    def settle(self, works: Sequence[Settlement]) -> list[Answer]:
        """Settle messages as they are; one answer each. Raises Temporary where nothing became certain."""
        changed = Changed()
        with explained(self._root):
            files = self._find(works)
            begun = [self._begin(work, files.get(work.key), changed) for work in works]
            changed.sync()
            ended = [self._end(step, changed) if isinstance(step, Step) else step for step in begun]
            changed.sync()
        return ended

    def rewrite(self, work: Settlement, chunks: maildir.Chunks) -> Answer:
        """Settle one message with its edited contents: these first, then the original goes."""
        try:
            with explained(self._root):
                file = self._find([work]).get(work.key)
                place = self._place(work)
                if file is None:
                    return self._missing(work, place)
                for copy in dict.fromkeys(work.copies):
                    self._deliver(chunks, work, copy, key=_copy_key(work), flags=flags_in(file.name))
                if isinstance(place, Waiting):
                    return place
                if place.folder is not None:
                    flags = (flags_in(file.name) | place.add) - work.remove
                    self._deliver(chunks, work, place.folder, key=work.identity, flags=flags)
                file.unlink(missing_ok=True)
                sync_directory(file.parent)
                return Settled(message=work.message, outcome=work.place)
        except PostroomError as error:
            return Unsettled(message=work.message, error=error)

    def _begin(self, work: Settlement, file: Path | None, changed: Changed) -> Step | Answer:
        """Make the copies and the folder; what is left is one rename or one removal."""
        try:
            with explained(self._root):
                place = self._place(work)
                if file is None:
                    return self._missing(work, place)
                for copy in dict.fromkeys(work.copies):
                    self._link(file, work, copy, changed)
                if isinstance(place, Waiting):
                    return place
                to = None if place.folder is None else self._cur(place.folder, create=work.create)
                return Step(work=work, file=file, to=to, add=place.add)
        except PostroomError as error:
            return Unsettled(message=work.message, error=error)

    def _end(self, step: Step, changed: Changed) -> Answer:
        work, file = step.work, step.file
        try:
            with explained(self._root):
                if step.to is None:
                    file.unlink(missing_ok=True)
                else:
                    self._rename(work, file, step.to / flagged(file.name, add=step.add, remove=work.remove))
                    changed.gained.add(step.to)
                changed.lost.add(file.parent)
                return Settled(message=work.message, outcome=work.place)
        except PostroomError as error:
            return Unsettled(message=work.message, error=error)

    def _place(self, work: Settlement) -> Place | Waiting:
        """What the plan and `handled` say; a message that lives elsewhere now may stay for a while first."""
        if work.place == "kept":
            return Place("", work.add)
        if work.place == "moved":
            return Place(work.target, work.add)
        if work.discarded:
            return Place(None)
        keep = self._settings.keep_on_server
        if keep is True:
            return Place("", work.add)
        if isinstance(keep, timedelta) and work.received + keep > datetime.now(UTC):
            return Waiting(message=work.message, until=work.received + keep)
        match self._settings.handled:
            case "leave":
                return Place("", work.add)
            case "seen":
                return Place("", work.add | {"\\Seen"})
            case "delete":
                return Place(None)
            case MoveTo(move=folder):
                return Place(folder, work.add)

    def _missing(self, work: Settlement, place: Place | Waiting) -> Answer:
        """The file is nowhere. Written anew and then removed by an earlier try of ours, or gone as it should be; else
        a reader moved or deleted it, and the reader wins."""
        outcome: str = "vanished"
        if isinstance(place, Place) and place.folder is None:
            outcome = work.place
        elif isinstance(place, Place) and place.folder is not None and self.rewrites(work):
            folder = maildir.folder_path(self._root, place.folder)
            if any(f".{work.identity}." in name for name in names_in(folder / "cur")):
                outcome = work.place
        return Settled(message=work.message, outcome=outcome)  # type: ignore[arg-type]

    def _find(self, works: Iterable[Settlement]) -> dict[str, Path]:
        """Where each message lies by now: in `new/`, in `cur/`, or where an earlier try of ours has put it."""
        found: dict[str, Path] = {}
        missing: dict[str, Settlement] = {}
        for work in works:
            file = self._root / "new" / work.key
            if os.path.lexists(file):
                found[work.key] = file
            else:
                missing[work.key] = work
        self._search([self._root / "new", self._root / "cur"], missing, found)
        folders = {place.folder for work in missing.values() if isinstance(place := self._place(work), Place)}
        with suppress(PostroomError):  # a name that is none is told when its own message's turn comes
            self._search([maildir.folder_path(self._root, one) / "cur" for one in folders if one], missing, found)
        return found

    def _search(self, directories: Iterable[Path], missing: dict[str, Settlement], found: dict[str, Path]) -> None:
        for directory in directories:
            for name in names_in(directory) if missing else ():
                if missing.pop(key_of(name), None) is not None:
                    found[key_of(name)] = directory / name

    def _cur(self, folder: str, *, create: bool) -> Path:
        directory = maildir.folder_path(self._root, folder)
        allowed = create and self._settings.create
        maildir.prepare(directory, create=allowed, root=self._root, spend=self._allowance.spend)
        return directory / "cur"

    def _link(self, file: Path, work: Settlement, folder: str, changed: Changed) -> None:
        """One more name for the same file, where the file system can do that."""
        cur = self._cur(folder, create=True)
        key = _copy_key(work)
        if any(f".{key}." in name for name in names_in(cur)):
            changed.gained.add(cur)  # the earlier try may have ended just before
            return
        info = flagged(file.name).partition(":")[2]
        try:
            os.link(file, cur / f"{int(work.received.timestamp())}.{key}.{maildir.host_part(self._host)}:{info}")
            changed.gained.add(cur)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
                raise
            self._deliver([file.read_bytes()], work, folder, key=key, flags=flags_in(file.name))

    def _rename(self, work: Settlement, file: Path, to: Path) -> None:
        if to != file and os.path.lexists(to):  # in place of which it would come
            info = to.name.partition(":")[2]
            to = to.with_name(
                f"{int(work.received.timestamp())}.{work.identity}.{maildir.host_part(self._host)}:{info}"
            )
        try:
            file.rename(to)
        except FileNotFoundError:
            raise Temporary(f"{self._root}: a mail reader moved the message just now") from None
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            folder = to.parent.parent
            maildir.deliver(
                [file.read_bytes()],
                folder,
                key=work.identity,
                received=work.received,
                host=self._host,
                flags=flags_in(to.name),
                seen=True,
            )
            file.unlink()

    def _deliver(
        self, chunks: maildir.Chunks, work: Settlement, folder: str, *, key: str, flags: Iterable[str]
    ) -> None:
        maildir.deliver(
            chunks,
            maildir.folder_path(self._root, folder),
            key=key,
            received=work.received,
            host=self._host,
            flags=flags,
            create=work.create and self._settings.create,
            root=self._root,
            seen=True,
            spend=self._allowance.spend,
        )


def _copy_key(work: Settlement) -> str:
    return f"{work.identity}c"
