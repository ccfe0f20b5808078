import fcntl
import mailbox
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from postroom.errors import Permanent, Temporary
from postroom.transports import mbox

AT = datetime(2026, 3, 1, 8, 5, tzinfo=UTC)


def append(path: Path, *chunks: bytes, sender: str = "a@b.example", wait: float = 30.0) -> None:
    mbox.append(path, chunks, sender=sender, received=AT, wait=wait)


def test_a_message_is_appended_with_its_from_line_and_a_blank_line(tmp_path: Path) -> None:
    append(tmp_path / "m", b"Subject: x\r\n\r\nhello\r\n")
    append(tmp_path / "m", b"Subject: y\n\nno end", sender="")
    assert (tmp_path / "m").read_bytes() == (
        b"From a@b.example Sun Mar  1 08:05:00 2026\nSubject: x\n\nhello\n\n"
        b"From MAILER-DAEMON Sun Mar  1 08:05:00 2026\nSubject: y\n\nno end\n\n"
    )


@pytest.mark.parametrize(
    ("raw", "stored"),
    [
        (b"a\n\nFrom me\n", b"a\n\n>From me\n"),
        (b"a\n\n>From me\n>>From\n", b"a\n\n>>From me\n>>From\n"),
        (b"From the start\n", b">From the start\n"),
        (b"not From here\n From\n", b"not From here\n From\n"),
    ],
    ids=["From", "quoted already", "first line", "inside a line"],
)
def test_lines_that_begin_with_from_are_quoted_as_mboxrd(tmp_path: Path, raw: bytes, stored: bytes) -> None:
    append(tmp_path / "m", raw)
    assert (tmp_path / "m").read_bytes().split(b"\n", 1)[1] == stored + b"\n"


@pytest.mark.parametrize("size", [1, 3, 7])
def test_quoting_does_not_depend_on_how_the_message_is_cut(tmp_path: Path, size: int) -> None:
    raw = b"x\n\nFrom here\nFrom there\n" + b"y" * 40 + b"\n>From me\n"
    append(tmp_path / "m", *(raw[i : i + size] for i in range(0, len(raw), size)))
    assert (tmp_path / "m").read_bytes().split(b"\n", 1)[1] == (
        b"x\n\n>From here\n>From there\n" + b"y" * 40 + b"\n>>From me\n\n"
    )


def test_an_endless_line_is_not_quoted_in_its_middle(tmp_path: Path) -> None:
    raw = b"a" * 300_000 + b"From " * 400_000 + b"\nFrom \n"
    append(tmp_path / "m", raw)
    assert (tmp_path / "m").read_bytes().split(b"\n", 1)[1] == raw.replace(b"\nFrom ", b"\n>From ") + b"\n"


def test_a_sender_cannot_break_the_from_line(tmp_path: Path) -> None:
    append(tmp_path / "m", b"x\n", sender="a\nFrom b c@d")
    assert (tmp_path / "m").read_bytes().startswith(b"From a-From-b-c@d Sun")


def test_other_programs_read_it(tmp_path: Path) -> None:
    for number in range(3):
        append(tmp_path / "m", b"Subject: %d\n\nFrom x\n" % number)
    box = mailbox.mbox(tmp_path / "m", create=False)
    assert [message["subject"] for message in box] == ["0", "1", "2"]
    box.close()


def test_a_held_dotlock_is_temporary_and_the_file_untouched(tmp_path: Path) -> None:
    append(tmp_path / "m", b"x\n")
    before = (tmp_path / "m").read_bytes()
    (tmp_path / "m.lock").touch()
    with pytest.raises(Temporary, match="lock file"):
        append(tmp_path / "m", b"y\n", wait=0.1)
    assert (tmp_path / "m").read_bytes() == before


def test_a_lock_that_was_left_behind_is_broken(tmp_path: Path) -> None:
    (tmp_path / "m.lock").touch()
    os.utime(tmp_path / "m.lock", (1, 1))
    append(tmp_path / "m", b"x\n", wait=5)
    assert not (tmp_path / "m.lock").exists()


def test_a_file_locked_by_another_program_is_temporary(tmp_path: Path) -> None:
    append(tmp_path / "m", b"x\n")
    ready, done = multiprocessing.Event(), multiprocessing.Event()
    holder = multiprocessing.Process(target=hold, args=(str(tmp_path / "m"), ready, done))
    holder.start()
    ready.wait()
    with pytest.raises(Temporary, match="locked"):
        append(tmp_path / "m", b"y\n", wait=0.1)
    done.set()
    holder.join()


def hold(path: str, ready: Event, done: Event) -> None:
    with Path(path).open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        ready.set()
        done.wait()


def test_writers_at_once_do_not_mix_their_messages(tmp_path: Path) -> None:
    writers = [multiprocessing.Process(target=write_ten, args=(str(tmp_path / "m"), number)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    box = mailbox.mbox(tmp_path / "m", create=False)
    assert sorted(str(message.get_payload()) for message in box) == sorted(
        f"{n}" * 5000 + "\n" for n in range(4) for _ in range(10)
    )
    box.close()


def write_ten(path: str, number: int) -> None:
    for _ in range(10):
        append(Path(path), b"Subject: x\n\n" + b"%d" % number * 5000 + b"\n")


def test_a_message_that_fails_in_the_middle_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    append(tmp_path / "m", b"x\n")
    before = (tmp_path / "m").read_bytes()

    class Failing(list[bytes | memoryview]):
        calls = 0

        def __iter__(self) -> Iterator[bytes | memoryview]:
            self.calls += 1
            yield b"y\n" * 200_000
            if self.calls > 1:  # looked through for its line ends first
                raise RuntimeError

    with pytest.raises(RuntimeError):
        mbox.append(tmp_path / "m", Failing(), sender="a", received=AT)
    assert (tmp_path / "m").read_bytes() == before
    assert not (tmp_path / "m.lock").exists()


def test_a_full_disk_is_temporary_and_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    append(tmp_path / "m", b"x\n")
    before = (tmp_path / "m").read_bytes()
    script = (
        "import resource, sys; from pathlib import Path; from datetime import datetime, UTC\n"
        "from postroom.errors import Temporary; from postroom.transports import mbox\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "try: mbox.append(Path(sys.argv[1]), [b'x' * 9000], sender='', received=datetime.now(UTC))\n"
        "except Temporary: print('temporary')\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "m")]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"temporary\n"
    assert (tmp_path / "m").read_bytes() == before


@pytest.mark.parametrize(("end", "gap"), [(b"", b""), (b"x", b"\n\n"), (b"x\n", b"\n"), (b"x\n\n", b"")], ids=repr)
def test_a_message_begins_behind_a_blank_line_whatever_the_file_ended_with(
    tmp_path: Path, end: bytes, gap: bytes
) -> None:
    (tmp_path / "m").write_bytes(end)
    append(tmp_path / "m", b"y\n")
    assert (tmp_path / "m").read_bytes().startswith(end + gap + b"From ")


def test_a_link_in_the_place_of_the_file_is_followed_only_where_the_operator_wrote_all_of_the_path(
    tmp_path: Path,
) -> None:
    (tmp_path / "m").symlink_to(tmp_path / "real")
    append(tmp_path / "m", b"x\n")
    before = (tmp_path / "real").read_bytes()
    with pytest.raises(Permanent):
        mbox.append(tmp_path / "m", [b"y\n"], sender="", received=AT, root=tmp_path)
    assert (tmp_path / "real").read_bytes() == before
