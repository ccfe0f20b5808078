"""What becomes of a message in its Maildir, and that doing it twice changes nothing."""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from desks import MemoryDesk, settlement
from maildirs import LETTER, put
from postroom.errors import Permanent
from postroom.ledger import Arrival, Batch, Ledger, Query
from postroom.ledger.rows import Settled, Unsettled, Waiting
from postroom.message import Edit
from postroom.message.edit import AddHeader
from postroom.settings.mailboxes import MaildirMailbox
from postroom.sources.maildir.names import key_of
from postroom.sources.maildir.settling import Settler
from postroom.sources.settlement import Settlement

from .test_collecting import watching

KEY = "1.a.host"
NOW = datetime.now(UTC).replace(microsecond=0)
EDITS: tuple[Edit, ...] = (AddHeader(name="X-Tag", value="seen"),)


def settler(root: Path, **options: Any) -> Settler:
    settings = MaildirMailbox.model_validate({"url": f"maildir:{root}"} | options)
    return Settler(root, settings, host="test.example")


def work(key: str = KEY, **changes: Any) -> Settlement:
    arrival = Arrival(source_key=key, pipeline="main", received=NOW, content=LETTER, folder="INBOX")
    return settlement(arrival, **changes)


def names(root: Path) -> list[str]:
    """All messages below a Maildir++, and nothing left in tmp."""
    assert not list(root.glob("**/tmp/*"))
    return sorted(str(p.relative_to(root)) for p in root.glob("**/*") if p.parent.name in ("new", "cur"))


def outcomes(answers: Sequence[object]) -> list[str]:
    return [answer.outcome if isinstance(answer, Settled) else str(answer) for answer in answers]


@pytest.mark.parametrize(
    ("options", "changes", "left"),
    [
        pytest.param({}, {}, ["cur/1.a.host:2,"], id="kept"),
        pytest.param(
            {}, {"add": frozenset({"\\Seen", "$Forwarded", "$Work"})}, ["cur/1.a.host:2,PS"], id="kept with flags"
        ),
        pytest.param({}, {"place": "moved", "target": "Archive/2026"}, [".Archive.2026/cur/1.a.host:2,"], id="moved"),
        pytest.param({}, {"place": "moved", "target": "INBOX"}, ["cur/1.a.host:2,"], id="moved to where it is"),
        pytest.param({}, {"place": "gone", "discarded": True}, [], id="discarded"),
        pytest.param({"keep-on-server": True}, {"place": "gone", "discarded": True}, [], id="discarded for good"),
        pytest.param({}, {"place": "gone"}, ["cur/1.a.host:2,"], id="handled: leave"),
        pytest.param({"handled": "seen"}, {"place": "gone"}, ["cur/1.a.host:2,S"], id="handled: seen"),
        pytest.param({"handled": "delete"}, {"place": "gone"}, [], id="handled: delete"),
        pytest.param({"handled": {"move": "Done"}}, {"place": "gone"}, [".Done/cur/1.a.host:2,"], id="handled: move"),
        pytest.param(
            {"handled": "delete", "keep-on-server": True}, {"place": "gone"}, ["cur/1.a.host:2,"], id="kept on server"
        ),
        pytest.param(
            {"handled": "delete", "keep-on-server": "1h"},
            {"place": "gone", "received": NOW - timedelta(hours=2)},
            [],
            id="kept long enough",
        ),
    ],
)
def test_a_message_ends_where_plan_and_settings_say_and_a_second_time_changes_nothing(
    tmp_path: Path, options: dict[str, Any], changes: dict[str, Any], left: list[str]
) -> None:
    put(tmp_path, KEY)
    asked = work(**changes)
    assert outcomes(settler(tmp_path, **options).settle([asked])) == [asked.place]
    assert names(tmp_path) == left
    assert outcomes(settler(tmp_path, **options).settle([asked])) == [asked.place]
    assert names(tmp_path) == left


def test_a_message_that_lives_elsewhere_stays_for_so_long_first(tmp_path: Path) -> None:
    put(tmp_path, KEY)
    answer = settler(tmp_path, handled="delete", **{"keep-on-server": "7d"}).settle([work(place="gone")])
    assert answer == [Waiting(message=1, until=NOW + timedelta(days=7))]
    assert names(tmp_path) == ["new/1.a.host"]


def test_copies_are_further_names_of_the_same_file_and_made_once(tmp_path: Path) -> None:
    put(tmp_path, KEY)
    asked = work(copies=("Bills", "INBOX", "Bills"), place="moved", target="Bills")
    for _ in range(2):
        assert outcomes(settler(tmp_path).settle([asked])) == ["moved"]
        found = names(tmp_path)
        assert [Path(name).parent.as_posix() for name in found] == [".Bills/cur", ".Bills/cur", "cur"]
    assert len({(tmp_path / name).stat().st_ino for name in found}) == 1


def test_another_message_of_the_same_name_is_not_overwritten(tmp_path: Path) -> None:
    put(tmp_path, KEY)
    there = tmp_path / ".Archive" / "cur" / f"{KEY}:2,"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"Subject: somebody else's\n\n")
    assert outcomes(settler(tmp_path).settle([work(place="moved", target="Archive")])) == ["moved"]
    assert {file.read_bytes() for file in there.parent.iterdir()} == {LETTER, b"Subject: somebody else's\n\n"}


def test_names_are_on_the_disk_before_it_is_told_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that a message got before the one that it loses."""
    calls: list[str] = []
    sync, rename = os.fsync, os.rename

    def syncing(descriptor: int) -> None:
        calls.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().relative_to(tmp_path)}")
        sync(descriptor)

    def renaming(source: Path, target: Path) -> None:
        calls.append(f"rename {source.parent.relative_to(tmp_path)} {target.parent.relative_to(tmp_path)}")
        rename(source, target)

    for key in ("0.z.host", KEY):  # the first one makes the folders
        put(tmp_path, key)
        calls.clear()
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", syncing)
            patch.setattr(os, "rename", renaming)
            settler(tmp_path).settle([work(key, place="moved", target="Done", copies=("Copy",))])
    assert calls == ["sync .Copy/cur", "rename new .Done/cur", "sync .Done/cur", "sync new"]


def test_a_reader_that_saw_the_message_first_keeps_its_flags(tmp_path: Path) -> None:
    put(tmp_path, KEY).rename(tmp_path / "cur/1.a.host:2,RSa")
    asked = work(add=frozenset({"\\Flagged"}), remove=frozenset({"\\Seen"}))
    assert outcomes(settler(tmp_path).settle([asked])) == ["kept"]
    assert names(tmp_path) == ["cur/1.a.host:2,FRa"]


@pytest.mark.parametrize("name", [b"\xff" * 240, b"1.\xff.host:2,", b"1.\\.host", b"1.\n\t.host"])
def test_a_message_is_found_by_its_key_whatever_its_name_is(tmp_path: Path, name: bytes) -> None:
    """What lies in the ledger is text of a bounded length."""
    put(tmp_path / "m", os.fsdecode(name))
    arrival = Arrival(source_key=key_of(os.fsdecode(name)), pipeline="main", received=NOW, content=LETTER)
    with closing(Ledger.open("sqlite://")) as ledger:
        ledger.record("box", Batch(arrivals=(arrival,)))
        (row,) = ledger.find(Query())
    assert outcomes(settler(tmp_path / "m").settle([work(row.source_key)])) == ["kept"]


def test_a_message_that_a_reader_deleted_has_vanished(tmp_path: Path) -> None:
    put(tmp_path, KEY).unlink()
    assert outcomes(settler(tmp_path).settle([work(), work(place="moved", target="A")])) == ["vanished", "vanished"]
    assert names(tmp_path) == []


def test_a_folder_that_is_missing_is_not_made_where_that_is_forbidden(tmp_path: Path) -> None:
    put(tmp_path, KEY)
    put(tmp_path, "2.b.host")
    asked = [work(place="moved", target="Typo"), work("2.b.host", message=2)]
    [refused, kept] = settler(tmp_path, create=False).settle(asked)
    assert isinstance(refused, Unsettled)
    assert isinstance(refused.error, Permanent)
    assert "Typo" not in str(refused.error)
    assert outcomes([kept]) == ["kept"]
    assert names(tmp_path) == ["cur/2.b.host:2,", "new/1.a.host"]


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, ["cur/{}:2,S"]),
        ({"place": "moved", "target": "A"}, [".A/cur/{}:2,S"]),
        ({"place": "gone", "discarded": True, "copies": ("A",)}, [".A/cur/{}c:2,"]),
    ],
)
def test_an_edited_message_replaces_the_original_once(tmp_path: Path, changes: dict[str, Any], left: list[str]) -> None:
    put(tmp_path, KEY)
    asked = work(edits=EDITS, add=frozenset({"\\Seen"}), **changes)
    assert settler(tmp_path, rewrite=True).rewrites(asked)
    for _ in range(2):
        assert outcomes([settler(tmp_path, rewrite=True).rewrite(asked, [b"X-Tag: seen\n", LETTER])]) == [asked.place]
        [name] = names(tmp_path)
        assert (tmp_path / name).read_bytes() == b"X-Tag: seen\n" + LETTER
        shape = name.replace(f"{int(NOW.timestamp())}.{asked.identity}", "{}").replace(".test.example", "")
        assert shape.partition(",S=")[0] + ":" + shape.partition(":")[2] == left[0]


def test_edits_alone_rewrite_nothing(tmp_path: Path) -> None:
    assert not settler(tmp_path).rewrites(work(edits=EDITS))
    assert not settler(tmp_path, rewrite=True).rewrites(work())
    assert not settler(tmp_path, rewrite=True).rewrites(work(edits=EDITS, place="gone"))


@pytest.mark.parametrize("kind", ["plain", "rewrite"])
def test_killed_at_any_change_of_the_disk_it_loses_nothing_and_ends_the_same(tmp_path: Path, kind: str) -> None:
    command = [sys.executable, Path(__file__).with_name("killed.py"), tmp_path, kind]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    rounds = sorted(tmp_path.iterdir())
    assert len(rounds) == int(done.stdout) + 1 > 5
    for root in rounds:
        assert [Path(name).parent.as_posix() for name in names(root)] == [".A.B/cur", ".C/cur"], root


async def test_the_source_settles_what_is_done_and_nothing_comes_back(tmp_path: Path) -> None:
    desk = MemoryDesk(tmp_path)
    desk.finishes = lambda arrival: {"copies": ("INBOX", "Copies")}
    put(tmp_path / "m", KEY)
    async with watching(desk, tmp_path / "m", poll="1s"):
        await desk.until(lambda: desk.answers)
        desk.events.clear()
        await desk.until(lambda: desk.events.count("looked") == 2)
    assert len(desk.arrivals) == 1
    assert len(names(tmp_path / "m")) == 3
    assert all(name.split("/")[-2] == "cur" for name in names(tmp_path / "m"))


async def test_the_source_writes_an_edited_message_anew(tmp_path: Path) -> None:
    desk = MemoryDesk(tmp_path)
    desk.finishes = lambda arrival: {"edits": EDITS}
    desk.contents = {1: b"X-Tag: seen\n" + LETTER}
    put(tmp_path / "m", KEY)
    async with watching(desk, tmp_path / "m", rewrite=True):
        await desk.until(lambda: desk.answers)
    [name] = names(tmp_path / "m")
    assert (tmp_path / "m" / name).read_bytes() == b"X-Tag: seen\n" + LETTER
    assert name.startswith("cur/")


def test_folders_that_senders_name_are_made_a_hundred_times_a_day(tmp_path: Path) -> None:
    settling = settler(tmp_path)
    settling._allowance.clock = lambda: NOW  # midnight may come at any time
    keys = [f"{number}.a.host" for number in range(101)]
    for key in keys:
        put(tmp_path, key)
    answers = settling.settle([work(key, place="moved", target=f"From/{key[:-7]}") for key in keys])
    assert [isinstance(answer, Settled) for answer in answers] == [True] * 100 + [False]
    assert "wait for tomorrow" in str(answers[-1])
    assert len(list(tmp_path.glob(".From.*"))) == 100
    assert (tmp_path / "new" / keys[-1]).exists()
