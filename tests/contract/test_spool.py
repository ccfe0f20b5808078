"""The spool: durable files in bounded memory, and a sentence for whatever is wrong with the disk."""

import errno
import mmap
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from postroom.errors import Permanent, Temporary
from postroom.ledger import Arrival, Batch, Ledger
from postroom.spool import Spool, collect_orphans, fresh_name

DAY = timedelta(days=1)
OLD = "20260301T101112.123456-0123456789abcdef"
TOMORROW = datetime.now(UTC) + DAY


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "state" / "spool")


def files(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


@pytest.mark.parametrize("chunks", [[], [b""], [b"one"], [b"one", b"", b"two" * 100_000]], ids=len)
def test_what_was_written_is_read_back_with_its_hash_and_size(spool: Spool, chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    blob = spool.write(iter(chunks))
    assert (blob.sha256, blob.size) == (sha256(whole).hexdigest(), len(whole))
    with spool.open(blob.name) as content:
        assert bytes(content) == whole


def test_views_of_the_bytes_outlive_the_context(spool: Spool) -> None:
    with spool.open(spool.write([b"some bytes"]).name) as content:
        assert isinstance(content, mmap.mmap)
        view = memoryview(content)[5:]
    assert bytes(view) == b"bytes"


def test_files_and_directories_are_private_even_under_an_open_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Spool(tmp_path / "state" / "spool").write([b"x"])
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.is_dir()}
    assert modes == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files(tmp_path)} == {0o600}


def test_file_and_names_are_synced_before_the_write_returns(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.write([b"earlier"])
    calls: list[str] = []
    sync, rename = os.fsync, os.rename

    def syncing(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        calls.append(f"sync {'directory' if path.is_dir() else path.parent.name}")
        sync(descriptor)

    def renaming(source: Path, target: Path) -> None:
        calls.append(f"rename {source.parent.name}")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "rename", renaming)
    spool.write([b"x"])
    assert calls == ["sync tmp", "rename tmp", "sync directory"]


def test_directories_that_are_made_are_synced_where_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[Path] = set()
    sync = os.fsync

    def syncing(descriptor: int) -> None:
        synced.add(Path(f"/proc/self/fd/{descriptor}").readlink())
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", syncing)
    Spool(tmp_path / "state" / "spool").write([b"x"])
    assert {tmp_path, tmp_path / "state", tmp_path / "state" / "spool"} <= synced


def test_a_write_that_fails_halfway_leaves_nothing(spool: Spool, tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise ConnectionResetError(errno.ECONNRESET, "gone")

    with pytest.raises(ConnectionResetError):
        spool.write(chunks())
    assert files(tmp_path) == []


def test_two_writes_never_share_a_file(spool: Spool) -> None:
    names = {spool.write([b"same"]).name for _ in range(20)}
    assert len(names) == 20
    first, second, *_ = names
    spool.delete(first)
    with spool.open(second) as content:
        assert bytes(content) == b"same"


def test_names_sort_by_time() -> None:
    names = [fresh_name() for _ in range(100)]
    assert [name[:22] for name in names] == sorted(name[:22] for name in names)


def test_a_deleted_blob_can_be_deleted_again_and_not_opened(spool: Spool) -> None:
    blob = spool.write([b"x"])
    spool.delete(blob.name)
    spool.delete(blob.name)
    with pytest.raises(Temporary, match="cannot be used: it is missing"), spool.open(blob.name):
        pass


@pytest.mark.parametrize("name", ["", "..", "../ledger.db", "/etc/passwd", OLD + "x", f"20260301/{OLD}", OLD + "\n"])
def test_only_names_of_our_own_are_looked_at(spool: Spool, name: str) -> None:
    with pytest.raises(Permanent):
        spool.delete(name)
    with pytest.raises(Permanent), spool.open(name):
        pass


def test_the_listing_goes_by_age(tmp_path: Path) -> None:
    names = [f"202603{day:02}T000000.000000-0123456789abcdef" for day in (1, 2, 3)]
    spool = Spool(tmp_path, names=list(names).pop)
    for _ in names:
        spool.write([b"x"])
    assert list(spool.listing(datetime(2026, 3, 3, tzinfo=UTC))) == names[:2]
    assert list(spool.listing(TOMORROW)) == names
    assert list(Spool(tmp_path / "none").listing(TOMORROW)) == []


def test_a_spool_short_of_space_refuses_and_leaves_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, min_free=2**62)
    assert 0 < spool.free() < 2**62
    with pytest.raises(Temporary, match="make room, or lower spool"):
        spool.write([b"x"])
    with pytest.raises(Temporary):
        spool.require(1)
    Spool(tmp_path).require(1)
    assert files(tmp_path) == []


def test_a_spool_below_a_file_is_temporary(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Temporary, match="not a directory"):
        Spool(tmp_path / "file" / "spool").write([b"x"])


def test_a_file_system_that_takes_no_files_is_temporary() -> None:
    with pytest.raises(Temporary, match="the spool file /proc/postroom/"):
        Spool(Path("/proc/postroom")).write([b"x"])


def test_a_full_disk_is_temporary_and_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path\n"
        "from postroom.errors import Temporary; from postroom.spool import Spool\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: Spool(Path(sys.argv[1])).write([b'x' * 1000] * 1000)\n"
        "except Temporary as error: print(error)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "cannot be used: the file grew over the limit on file sizes" in said
    assert files(tmp_path) == []


def test_a_large_message_is_written_in_little_memory(tmp_path: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path; from postroom.spool import Spool\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "spool = Spool(Path(sys.argv[1])); spool.write([b'x']); before = peak()\n"
        "spool.write(bytes(65536) for _ in range(800)); print(peak() - before)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert int(said) < 2048


def test_blobs_without_a_row_are_collected_after_a_day(ledger: Ledger, spool: Spool) -> None:
    kept, orphan = spool.write([b"kept"]), spool.write([b"orphan"])
    arrival = Arrival(source_key="1", pipeline="p", received=datetime.now(UTC), content=kept)
    ledger.record("box", Batch(arrivals=(arrival,)))
    assert collect_orphans(ledger.known_blobs, spool, now=datetime.now(UTC)) == 0
    # The crash between blob and row was a day ago.
    assert collect_orphans(ledger.known_blobs, spool, now=TOMORROW + timedelta(hours=1)) == 1
    assert list(spool.listing(TOMORROW)) == [kept.name]
    with spool.open(kept.name) as content:
        assert bytes(content) == b"kept"
    with pytest.raises(Temporary), spool.open(orphan.name):
        pass


def test_unfinished_files_of_a_crash_are_collected_after_a_day(ledger: Ledger, tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.write([b"x"])
    unfinished = tmp_path / "tmp" / OLD
    unfinished.write_bytes(b"half")
    written = datetime(2026, 3, 1, 10, 11, 12, 123456, tzinfo=UTC)
    assert collect_orphans(ledger.known_blobs, spool, now=written + DAY) == 0
    assert unfinished.exists()
    collect_orphans(ledger.known_blobs, spool, now=written + DAY + timedelta(seconds=1))
    assert not unfinished.exists()


def test_a_crash_between_blob_and_row_leaves_an_orphan_and_no_row(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from postroom.spool import Spool\n"
        "print(Spool(Path(sys.argv[1])).write([b'x']).name, flush=True); os.kill(os.getpid(), 9)\n"
    )
    crashed = subprocess.run([sys.executable, "-c", program, tmp_path], check=False, capture_output=True, text=True)
    assert crashed.returncode == -9
    name = crashed.stdout.strip()
    ledger = Ledger.open("sqlite://")
    assert ledger.known_blobs([name]) == frozenset()
    assert collect_orphans(ledger.known_blobs, Spool(tmp_path), now=TOMORROW + DAY) == 1
    assert files(tmp_path) == []
    ledger.close()
