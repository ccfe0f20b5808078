import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from postroom.errors import Permanent, Temporary
from postroom.transports import directory


def store(
    root: Path, path: Path, name: str, content: bytes = b"content", key: str = "k", mode: int = 0o640
) -> tuple[str, bool]:
    with directory.opened(root, path) as opened:
        return directory.store(opened, name, [content], key=key, mode=mode)


def names_in(path: Path) -> list[str]:
    return sorted(file.name for file in path.iterdir())


def test_a_file_is_written_with_its_mode_in_private_directories(tmp_path: Path) -> None:
    assert store(tmp_path / "r", tmp_path / "r/a/b", "f.pdf") == ("f.pdf", True)
    assert (tmp_path / "r/a/b/f.pdf").read_bytes() == b"content"
    assert (tmp_path / "r/a/b/f.pdf").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "r/a").stat().st_mode & 0o777 == 0o700


def test_an_equal_file_is_found_and_another_gets_a_counter(tmp_path: Path) -> None:
    names = [store(tmp_path, tmp_path / "d", "f.pdf", content) for content in (b"1", b"1", b"2", b"2", b"3", b"1")]
    assert names == [
        ("f.pdf", True), ("f.pdf", False), ("f-1.pdf", True),
        ("f-1.pdf", False), ("f-2.pdf", True), ("f.pdf", False),
    ]  # fmt: skip
    assert names_in(tmp_path / "d") == ["f-1.pdf", "f-2.pdf", "f.pdf"]


def test_large_files_that_differ_at_the_end_only_are_told_apart(tmp_path: Path) -> None:
    content = b"x" * 1_000_000
    store(tmp_path, tmp_path, "f", content + b"1")
    assert store(tmp_path, tmp_path, "f", content + b"2") == ("f-1", True)


@pytest.mark.parametrize("segment", ["link", "link/below"])
def test_a_symbolic_link_below_the_root_leads_nowhere(tmp_path: Path, segment: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root/link").symlink_to(outside)
    with pytest.raises(Permanent, match="symbolic link"):
        store(tmp_path / "root", tmp_path / "root" / segment, "f")
    assert not list(outside.iterdir())


def test_the_root_itself_may_be_a_link_of_the_operators(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "real")
    store(tmp_path / "root", tmp_path / "root/d", "f")
    assert (tmp_path / "real/d/f").exists()


def test_a_link_under_the_files_name_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"content")
    (tmp_path / "d").mkdir()
    (tmp_path / "d/f").symlink_to(tmp_path / "target")
    assert store(tmp_path, tmp_path / "d", "f") == ("f-1", True)
    assert (tmp_path / "target").read_bytes() == b"content"


@pytest.mark.parametrize("path", ["..", "a/../../b"])
def test_a_path_that_leaves_the_root_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(Permanent, match="leaves"):
        store(tmp_path / "root", tmp_path / "root" / path, "f")


def test_a_file_in_the_way_of_a_directory_is_permanent(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("")
    with pytest.raises(Permanent):
        store(tmp_path, tmp_path / "d", "f")


def test_a_root_that_cannot_be_made_is_temporary(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Temporary):
        store(tmp_path / "file/root", tmp_path / "file/root", "f")


def test_the_remains_of_an_earlier_try_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".postroom-k-aa").write_text("half")
    store(tmp_path, tmp_path, "f")
    assert names_in(tmp_path) == ["f"]


def test_the_mode_holds_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with directory.opened(tmp_path, tmp_path / "d", mode=0o775) as opened:
            directory.store(opened, "f", [b"x"], key="k", mode=0o664)
    finally:
        os.umask(before)
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o775
    assert (tmp_path / "d/f").stat().st_mode & 0o777 == 0o664


def test_another_try_that_is_still_writing_never_publishes_through_this_one(tmp_path: Path) -> None:
    """A try that was stopped past its lease goes on after a second one has taken over and finished."""

    def slow() -> Iterator[bytes]:
        yield b"ha"
        store(tmp_path, tmp_path, "f", b"half and half")
        yield b"lf and half"

    with pytest.raises(Temporary), directory.opened(tmp_path, tmp_path) as opened:
        directory.store(opened, "f", slow(), key="k", mode=0o600)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"f": b"half and half"}


def test_a_try_that_goes_on_never_publishes_what_another_one_is_still_writing(tmp_path: Path) -> None:
    """Half a file would be seen under a name that says that it is there."""
    begun, over = threading.Event(), threading.Event()

    def halting() -> Iterator[bytes]:
        yield b"ha"
        begun.set()
        assert over.wait(30)
        yield b"lf"

    def write(chunks: Iterator[bytes]) -> None:
        with directory.opened(tmp_path, tmp_path) as opened:
            directory.store(opened, "f", chunks, key="k", mode=0o600)

    def overtaken() -> Iterator[bytes]:
        yield b"ha"
        other.start()
        assert begun.wait(30)
        yield b"lf"

    other = threading.Thread(target=write, args=[halting()])
    try:
        with pytest.raises(Temporary):
            write(overtaken())
    finally:
        over.set()
        other.join()
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"f": b"half"}


def test_errors_name_the_root_and_nothing_that_a_message_may_have_said(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("")
    with pytest.raises(Permanent) as caught:
        store(tmp_path, tmp_path / "secret/deep", "f")
    assert str(tmp_path) in str(caught.value)
    assert "secret" not in str(caught.value)


def test_nothing_is_left_when_the_contents_fail(tmp_path: Path) -> None:
    def failing() -> Iterator[bytes]:
        yield b"x"
        raise RuntimeError

    with directory.opened(tmp_path, tmp_path) as opened, pytest.raises(RuntimeError):
        directory.store(opened, "f", failing(), key="k", mode=0o600)
    assert names_in(tmp_path) == []


def test_writers_at_once_each_get_a_name(tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=store, args=(tmp_path, tmp_path / "d", "f", b"%d" % n, f"k{n}")) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(Path(p).read_bytes() for p in (tmp_path / "d").iterdir()) == [b"%d" % n for n in range(8)]
