import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from postroom.errors import Permanent, Temporary
from postroom.transports import maildir

AT = datetime(2026, 3, 1, tzinfo=UTC)


def deliver(
    directory: Path,
    chunks: Sequence[bytes | memoryview] = (b"Subject: x\n\nbody\n",),
    key: str = "k1",
    **more: Any,
) -> bool:
    return maildir.deliver(chunks, directory, key=key, received=AT, host="test.example", **more)


def files(directory: Path) -> list[Path]:
    return sorted(p for sub in ("new", "cur", "tmp") for p in (directory / sub).iterdir())


def test_a_delivery_makes_the_maildir_and_one_file_in_new(tmp_path: Path) -> None:
    assert deliver(tmp_path / "m")
    [file] = files(tmp_path / "m")
    assert file.parent.name == "new"
    assert file.name == "1772323200.k1.test.example,S=17"
    assert file.read_bytes() == b"Subject: x\n\nbody\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "m/new").stat().st_mode & 0o777 == 0o700


def test_flags_put_it_into_cur_in_their_order(tmp_path: Path) -> None:
    deliver(tmp_path / "m", flags=[r"\Seen", r"\Flagged", "$Forwarded", "$Unheard"])
    [file] = files(tmp_path / "m")
    assert (file.parent.name, file.name.partition(":")[2]) == ("cur", "2,FPS")


@pytest.mark.parametrize("became", ["new/{}", "cur/{}:2,", "cur/{}:2,RS", "cur/{}:2,ST"])
def test_a_repeated_delivery_finds_the_first_one_whatever_became_of_it(tmp_path: Path, became: str) -> None:
    deliver(tmp_path / "m")
    [file] = files(tmp_path / "m")
    file.rename(tmp_path / "m" / became.format(file.name))
    assert not deliver(tmp_path / "m")
    assert len(files(tmp_path / "m")) == 1


def test_the_remains_of_a_cut_off_delivery_are_replaced(tmp_path: Path) -> None:
    deliver(tmp_path / "m", key="other")
    (tmp_path / "m/tmp/1772323200.k1.test.example.ab12").write_bytes(b"Subj")
    assert deliver(tmp_path / "m")
    assert {file.read_bytes() for file in files(tmp_path / "m")} == {b"Subject: x\n\nbody\n"}
    assert not list((tmp_path / "m/tmp").iterdir())


@pytest.mark.parametrize(
    ("chunks", "stored"),
    [
        ([b"a: b\r\n\r\nc\r\n"], b"a: b\n\nc\n"),
        ([b"a: b\r", b"\n\r\nc\r\n"], b"a: b\n\nc\n"),
        ([b"a: b\r\n\nc\r\n"], b"a: b\r\n\nc\r\n"),
        ([b"a: b\r\n\r\nc\rd\r\n"], b"a: b\r\n\r\nc\rd\r\n"),
        ([b"a: b\n\nc"], b"a: b\n\nc"),
        ([b"a: b\r\n\r\nc\r"], b"a: b\r\n\r\nc\r"),
        ([b""], b""),
    ],
    ids=["CRLF", "CRLF across chunks", "one bare LF", "one bare CR", "LF", "CR at the end", "empty"],
)
def test_line_ends_become_lf_only_where_all_are_crlf(
    tmp_path: Path, chunks: list[bytes | memoryview], stored: bytes
) -> None:
    deliver(tmp_path / "m", chunks)
    assert files(tmp_path / "m")[0].read_bytes() == stored


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("", "."), ("INBOX", "."), ("inbox", "."), ("Junk", ".Junk"), ("Archive/2026", ".Archive.2026"),
        ("Entwürfe", ".Entw&APw-rfe"), ("日本", ".&ZeVnLA-"), ("A & B", ".A &- B"),
    ],
)  # fmt: skip
def test_folders_are_named_as_maildir_plus_plus_does(tmp_path: Path, folder: str, name: str) -> None:
    assert maildir.folder_path(tmp_path, folder) == tmp_path / name


@pytest.mark.parametrize("folder", ["/", "a//b", "../x", "a/..", "a.b", "/etc", "~x", "a/" + "b" * 300, "\0/.."])
def test_a_folder_name_never_leaves_the_store(tmp_path: Path, folder: str) -> None:
    try:
        path = maildir.folder_path(tmp_path, folder)
    except Permanent:
        return
    assert path.parent == tmp_path


def test_a_new_folder_is_marked_as_one_and_its_store_is_made(tmp_path: Path) -> None:
    root = tmp_path / "m"
    deliver(maildir.folder_path(root, "A/B"), root=root)
    assert (root / ".A.B/maildirfolder").exists()
    assert (root / "new").is_dir()


def test_a_missing_folder_that_is_not_to_be_made_is_permanent(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match="no such folder"):
        deliver(tmp_path / ".x", create=False, root=tmp_path)
    assert not (tmp_path / ".x").exists()


def test_a_file_in_the_way_is_temporary_and_named(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("")
    with pytest.raises(Temporary, match="m: "):
        deliver(tmp_path / "m")


def test_a_slash_in_the_host_name_stays_out_of_the_file_name(tmp_path: Path) -> None:
    maildir.deliver([b"x"], tmp_path / "m", key="k", received=AT, host="a/b:c")
    assert files(tmp_path / "m")[0].name.startswith("1772323200.k.a\\057b\\072c")


def test_deliveries_at_once_under_one_key_leave_one_file(tmp_path: Path) -> None:
    def attempt() -> None:
        with suppress(Temporary):  # another try took its remains for an earlier one's
            deliver(tmp_path / "m")

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([f for f in files(tmp_path / "m") if f.parent.name == "new"]) == 1


def test_a_full_disk_is_temporary_and_leaves_no_part(tmp_path: Path) -> None:
    script = (
        "import resource, sys; from pathlib import Path; from datetime import datetime, UTC\n"
        "from postroom.errors import Temporary; from postroom.transports import maildir\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)); at = datetime.now(UTC)\n"
        "try: maildir.deliver([b'x' * 9000], Path(sys.argv[1]), key='k', received=at, host='h')\n"
        "except Temporary: print('temporary')\n"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "m"], capture_output=True, text=True, check=True)
    assert done.stdout == "temporary\n"
    assert files(tmp_path / "m") == []


@pytest.mark.parametrize("stage", range(5), ids=["first octets", "half", "written", "synced", "renamed"])
def test_a_kill_at_any_moment_never_shows_half_a_message(tmp_path: Path, stage: int) -> None:
    """The process is killed at its n-th call to the system that could change what others see."""
    script = (
        "import os, signal, sys; from pathlib import Path; from datetime import datetime, UTC\n"
        "from postroom.transports import maildir\n"
        "calls = 0\n"
        "def dying(real):\n"
        "    def call(*given):\n"
        "        global calls\n"
        "        calls += 1\n"
        f"        if calls > {[0, 10, 20, 21, 22][stage]}: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return real(*given)\n"
        "    return call\n"
        "store = Path(sys.argv[1])\n"
        "for sub in ('tmp', 'new', 'cur'): (store / sub).mkdir(parents=True)\n"
        "os.write, os.fsync, os.rename = dying(os.write), dying(os.fsync), dying(os.rename)\n"
        "maildir.deliver([b'x' * 50_000] * 20, store, key='k1', received=datetime.now(UTC), host='h')\n"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "m"], check=False)
    assert done.returncode == -signal.SIGKILL
    sizes = [f.stat().st_size for f in files(tmp_path / "m") if f.parent.name != "tmp"]
    assert sizes == ([1_000_000] if stage == 4 else [])
    assert deliver(tmp_path / "m", [b"x" * 50_000] * 20) == (stage < 4)
    assert [file.stat().st_size for file in files(tmp_path / "m")] == [1_000_000]


def test_the_file_and_its_directory_are_synced_before_it_is_told_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(tmp_path / "m", key="earlier")
    calls: list[str] = []
    sync, rename = os.fsync, os.rename

    def syncing(descriptor: int) -> None:
        calls.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().parent.name}")
        sync(descriptor)

    def renaming(source: str, target: str) -> None:
        calls.append(f"rename {Path(source).parent.name} {Path(target).parent.name}")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "rename", renaming)
    deliver(tmp_path / "m")
    assert calls == ["sync tmp", "rename tmp new", "sync m"]


def test_another_try_that_is_still_writing_never_publishes_through_this_one(tmp_path: Path) -> None:
    """A try that was stopped past its lease goes on after a second one has taken over and finished."""

    class Slow(list[bytes | memoryview]):
        calls = 0

        def __iter__(self) -> Iterator[bytes | memoryview]:
            self.calls += 1
            yield b"ha"
            if self.calls == 2:
                deliver(tmp_path / "m", [b"half\n"])
            yield b"lf\n"

    with pytest.raises(Temporary):
        deliver(tmp_path / "m", Slow())
    assert [file.read_bytes() for file in files(tmp_path / "m")] == [b"half\n"]


class Halting(list[bytes | memoryview]):
    """Pieces of a message; `midway` is called when half of it is written."""

    def __init__(self, midway: Callable[[], object]) -> None:
        self.midway = midway
        self.looked_at = False

    def __iter__(self) -> Iterator[bytes | memoryview]:
        yield b"ha"
        if self.looked_at:  # for its line ends
            self.midway()
        self.looked_at = True
        yield b"lf\n"


def test_a_try_that_goes_on_never_publishes_what_another_one_is_still_writing(tmp_path: Path) -> None:
    """Half a message would be seen under a name that says that it is there."""
    begun, over = threading.Event(), threading.Event()

    def halt() -> None:
        begun.set()
        assert over.wait(30)

    def take_over() -> None:
        other.start()
        assert begun.wait(30)

    other = threading.Thread(target=lambda: deliver(tmp_path / "m", Halting(halt)))
    try:
        with pytest.raises(Temporary):
            deliver(tmp_path / "m", Halting(take_over))
    finally:
        over.set()
        other.join()
    assert [file.read_bytes() for file in files(tmp_path / "m")] == [b"half\n"]


def test_the_other_processes_umask_does_not_open_messages(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        deliver(tmp_path / "m")
    finally:
        os.umask(before)
    assert files(tmp_path / "m")[0].stat().st_mode & 0o077 == 0
