"""What lies in `new/` is taken once, whatever lies there."""

import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from desks import MemoryDesk, running
from maildirs import LETTER, put
from postroom.errors import Temporary
from postroom.ledger import State
from postroom.settings.mailboxes import MaildirMailbox
from postroom.sources.maildir import MaildirSource
from postroom.testing import Failures

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@asynccontextmanager
async def watching(desk: MemoryDesk, root: Path, **options: Any) -> AsyncIterator[None]:
    options = {"start": "all", "poll": "1h"} | options
    settings = MaildirMailbox.model_validate({"url": f"maildir:{root}"} | options)
    async with running(MaildirSource(settings), desk):
        yield


async def test_a_message_that_lies_there_is_taken_with_what_its_header_tells(tmp_path: Path) -> None:
    desk = MemoryDesk(tmp_path)
    os.utime(put(tmp_path / "m", "1.a.host:2,FS"), (NOW.timestamp(), NOW.timestamp()))
    async with watching(desk, tmp_path / "m"):
        await desk.until(lambda: desk.arrivals)
    [arrival] = desk.arrivals.values()
    assert (arrival.source_key, arrival.pipeline, arrival.folder) == ("1.a.host", "main", "INBOX")
    assert (arrival.content, arrival.sender) == (LETTER, "ann@example.org")
    assert arrival.flags == {"\\Flagged", "\\Seen"}
    assert arrival.received == NOW


async def test_a_message_that_is_delivered_meanwhile_is_noticed_at_once(tmp_path: Path) -> None:
    desk = MemoryDesk(tmp_path)
    async with watching(desk, tmp_path / "m"):
        await desk.until(lambda: "looked" in desk.events)
        put(tmp_path / "m", "1.a.host")  # the next look is an hour away
        await desk.until(lambda: desk.arrivals)


async def test_the_reconciling_scan_finds_what_nobody_reported(tmp_path: Path) -> None:
    desk = MemoryDesk(tmp_path)
    root = tmp_path / "m"
    async with watching(desk, root, poll="1s"):
        await desk.until(lambda: "looked" in desk.events)
        (root / "new").rename(root / "old")  # inotify goes on with the directory that nobody uses any more
        put(root, "1.a.host")
        await desk.until(lambda: desk.arrivals)


async def test_start_now_leaves_what_lies_there_and_takes_what_comes(tmp_path: Path) -> None:
    desk = MemoryDesk(tmp_path)
    for number in range(3):
        put(tmp_path / "m", f"{number}.old.host")
    async with watching(desk, tmp_path / "m", start="now"):
        await desk.until(lambda: "looked" in desk.events)
        put(tmp_path / "m", "9.new.host")
        await desk.until(lambda: "9.new.host" in desk.arrivals)
    assert [arrival.end and arrival.end.outcome for arrival in desk.arrivals.values()] == ["kept", "kept", "kept", None]
    assert desk.bodies == [LETTER]


async def test_start_now_is_decided_once(tmp_path: Path) -> None:
    desk = MemoryDesk(tmp_path)
    async with watching(desk, tmp_path / "m", start="now"):
        await desk.until(lambda: "looked" in desk.events)
    put(tmp_path / "m", "1.a.host")  # while nobody watched
    async with watching(desk, tmp_path / "m", start="now"):
        await desk.until(lambda: desk.bodies)


async def test_a_crash_while_old_mail_is_recorded_takes_none_of_it(tmp_path: Path) -> None:
    desk = MemoryDesk(tmp_path)
    put(tmp_path / "m", "1.old.host")
    desk.takes = Failures({2})  # the names are recorded, the mark is not
    settings = MaildirMailbox.model_validate({"url": "maildir:m", "start": "now"})
    with pytest.raises(Temporary):
        await MaildirSource(settings).run(desk)
    async with watching(desk, tmp_path / "m", start="now"):
        await desk.until(lambda: "looked" in desk.events)
    assert desk.bodies == []


async def test_a_message_that_is_known_is_not_read_again(tmp_path: Path) -> None:
    desk = MemoryDesk(tmp_path)
    put(tmp_path / "m", "1.a.host")
    for _ in range(2):
        desk.events.clear()
        async with watching(desk, tmp_path / "m"):
            await desk.until(lambda: "looked" in desk.events)
    assert sum(len(batch.arrivals) for batch in desk.batches) == 1


async def test_a_long_message_goes_to_the_spool(tmp_path: Path) -> None:
    desk = MemoryDesk(tmp_path, inline=1000)
    put(tmp_path / "m", "1.a.host", LETTER + b"x" * 700_000)
    async with watching(desk, tmp_path / "m"):
        await desk.until(lambda: desk.arrivals)
    assert not isinstance(desk.arrivals["1.a.host"].content, bytes)
    assert desk.bodies == [LETTER + b"x" * 700_000]
    assert desk.arrivals["1.a.host"].sender == "ann@example.org"


async def test_a_message_over_the_limit_is_left_as_a_dead_letter(tmp_path: Path) -> None:
    desk = MemoryDesk(tmp_path, largest=1000)
    file = put(tmp_path / "m", "1.a.host", b"x" * 1001)
    async with watching(desk, tmp_path / "m"):
        await desk.until(lambda: desk.arrivals)
    end = desk.arrivals["1.a.host"].end
    assert end is not None
    assert end.state is State.DEAD
    assert "1,001 octets" in str(end.error)
    assert file.exists()


async def test_what_is_no_message_neither_hangs_nor_harms_the_others(tmp_path: Path) -> None:
    desk = MemoryDesk(tmp_path)
    root = tmp_path / "m"
    put(root, "5.good.host")
    os.mkfifo(root / "new/1.pipe.host")
    (root / "new/2.directory.host").mkdir()
    (root / "secret").write_bytes(b"not for rules")
    (root / "new/3.link.host").symlink_to(root / "secret")
    (root / "new/4.dangling.host").symlink_to(root / "nowhere")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "new/6.socket"))
        (root / "new/.hidden").write_bytes(LETTER)
        async with watching(desk, root):
            await desk.until(lambda: "looked" in desk.events)
    assert list(desk.arrivals) == ["5.good.host"]


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A directory of the user who the test is for so long: root could read everything."""
    with TemporaryDirectory(prefix="postroom-") as directory:
        if os.geteuid() != 0:
            yield Path(directory)
            return
        os.chown(directory, 65534, 65534)
        os.seteuid(65534)
        try:
            yield Path(directory)
        finally:
            os.seteuid(0)


async def test_a_file_that_cannot_be_read_is_tried_again_and_holds_up_none(unprivileged: Path) -> None:
    desk = MemoryDesk(unprivileged)
    root = unprivileged / "m"
    put(root, "1.a.host").chmod(0)
    put(root, "2.b.host")
    async with watching(desk, root):
        await desk.until(lambda: desk.misses)
    assert desk.states == {"1.a.host": State.WANTED, "2.b.host": State.RECEIVED}
    assert desk.misses == {"1.a.host": f"a file in {root}/new cannot be read: Permission denied"}
    desk.misses.clear()
    (root / "new/1.a.host").chmod(0o600)
    async with watching(desk, root):
        await desk.until(lambda: desk.states["1.a.host"] is State.RECEIVED)


async def test_a_file_that_could_not_be_read_and_is_gone_has_vanished(unprivileged: Path) -> None:
    desk = MemoryDesk(unprivileged)
    put(unprivileged / "m", "1.a.host").chmod(0)
    async with watching(desk, unprivileged / "m"):
        await desk.until(lambda: desk.misses)
    desk.misses.clear()
    (unprivileged / "m/new/1.a.host").unlink()
    async with watching(desk, unprivileged / "m"):
        await desk.until(lambda: "vanished" in desk.events)


async def test_a_message_that_a_reader_opens_first_is_taken_from_cur(tmp_path: Path) -> None:
    desk = MemoryDesk(tmp_path)
    root = tmp_path / "m"
    async with watching(desk, root):
        await desk.until(lambda: "looked" in desk.events)
        put(root, "1.a.host").rename(root / "cur/1.a.host:2,S")
        await desk.until(lambda: desk.bodies)
    assert desk.arrivals["1.a.host"].flags == {"\\Seen"}


async def test_a_name_that_is_not_utf_8_is_taken(tmp_path: Path) -> None:
    desk = MemoryDesk(tmp_path)
    put(tmp_path / "m", os.fsdecode(b"1.\xff.host"))
    async with watching(desk, tmp_path / "m"):
        await desk.until(lambda: desk.bodies)
    assert list(desk.arrivals) == ["1.\\xff.host"]


async def test_names_that_differ_are_different_messages(tmp_path: Path) -> None:
    """The key of one was that of the other: the second stayed unread for ever."""
    desk = MemoryDesk(tmp_path)
    for name in (b"1.\xff.host", b"1.\\xff.host", b"1.\\\\xff.host"):
        put(tmp_path / "m", os.fsdecode(name))
    async with watching(desk, tmp_path / "m"):
        await desk.until(lambda: "looked" in desk.events)
    assert len(desk.bodies) == 3


async def test_flags_alone_are_no_name(tmp_path: Path) -> None:
    """Its key was empty, and the file that it led to was `new` itself."""
    desk = MemoryDesk(tmp_path)
    (put(tmp_path / "m", "1.a.host").parent / ":2,S").write_bytes(LETTER)
    async with watching(desk, tmp_path / "m"):
        await desk.until(lambda: "looked" in desk.events)
        (tmp_path / "m/new/:2,F").write_bytes(LETTER)
        put(tmp_path / "m", "2.a.host")
        await desk.until(lambda: len(desk.arrivals) == 2)
    assert list(desk.arrivals) == ["1.a.host", "2.a.host"]


async def test_many_messages_share_commits(tmp_path: Path) -> None:
    desk = MemoryDesk(tmp_path)
    for number in range(450):
        put(tmp_path / "m", f"{number:03}.a.host")
    async with watching(desk, tmp_path / "m"):
        await desk.until(lambda: "looked" in desk.events)
    assert [len(batch.arrivals) for batch in desk.batches] == [0, 200, 200, 50]
    assert desk.heard == [frozenset(f"{number:03}.a.host" for number in range(450))]
