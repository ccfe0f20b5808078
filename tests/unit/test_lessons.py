"""What `postroom learn` makes of directories, whatever lies in them."""

import os
import random
import socket
import time
from pathlib import Path

import pytest

from postroom import testing
from postroom.bayes.learner import Learner
from postroom.errors import Permanent
from postroom.lessons import LARGEST, Files
from postroom.message import parse


def taken(path: Path) -> list[bytes]:
    """All messages that are read there."""
    found: list[bytes] = []
    Files(path).teach(lambda _: None, found.append, lambda: None)
    return found


def test_only_messages_are_read_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "1").write_bytes(testing.message())
    (tmp_path / ".hidden").write_bytes(testing.message())
    (tmp_path / "empty").touch()
    (tmp_path / "large").write_bytes(b"x" * (LARGEST + 1))
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "device").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        assert taken(tmp_path) == [testing.message()]


def test_a_message_that_a_mail_program_moves_meanwhile_is_left_out(tmp_path: Path) -> None:
    for name in ("new", "cur"):
        (tmp_path / name).mkdir()
    for number in range(3):
        (tmp_path / f"new/{number}").write_bytes(b"Subject: %d\n\n" % number)
    found: list[bytes] = []

    def take(raw: bytes) -> None:
        if not found:
            (tmp_path / "new/1").rename(tmp_path / "cur/1:2,S")
        found.append(raw)

    Files(tmp_path).teach(lambda _: None, take, lambda: None)
    assert found == [b"Subject: 0\n\n", b"Subject: 2\n\n"]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(Permanent, match="loop: Too many levels of symbolic links"):
        taken(tmp_path / "loop")


@pytest.mark.parametrize(
    ("content", "messages"),
    [
        (b"From a\n", 0),
        (b"From a\nSubject: x\n\nFrom b\nSubject: y\n", 2),
        (b"From " * 300_000, 0),
        (b"From a\n" + b"x" * (3 << 20) + b"\n\nFrom b\nSubject: y\n", 1),
        (b"From a\n" + b"\n" * 50_000 + b"From b\nhello\n", 2),
        (b"From a\n\0\0\0\n\nFrom b\n\xff\xfe\n", 2),
    ],
    ids=["nothing", "two", "one line", "a large one", "empty lines", "no text"],
)
def test_an_mbox_is_cut_into_messages_whatever_it_holds(tmp_path: Path, content: bytes, messages: int) -> None:
    (tmp_path / "mbox").write_bytes(content)
    assert len(taken(tmp_path / "mbox")) == messages


def test_hostile_messages_are_learned_in_bounded_time(tmp_path: Path) -> None:
    numbers = random.Random(5)
    mail = tmp_path / "mail"
    mail.mkdir()
    hostile = [
        b"", b"\0" * 100_000, b"\xff" * 100_000, b"Subject: " + b"=?utf-8?b?" * 50_000, b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\n" * 100_000,
        b"Content-Type: text/html\n\n" + b"<a href=http://x.example/" * 30_000, b"From: " + b"<" * 200_000, b"\n\n" + bytes(numbers.randbytes(900_000)),
        b"Content-Type: message/rfc822\n\n" * 20_000, b"a: b\n" * 150_000,
    ]  # fmt: skip
    for number, raw in enumerate(hostile):
        (mail / str(number)).write_bytes(raw)
    began = time.process_time()
    with Learner(tmp_path / "bayes") as learner:
        for raw in taken(mail):
            learner.learn(parse(raw), spam=True)
    assert time.process_time() - began < 20
