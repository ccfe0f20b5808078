"""`postroom filter` on a full disk and on one that is read-only: 75, nothing half-written, and the next offer delivers.

Where mounts are allowed (root, in a mount namespace of its own) the disks are real; the limit on the size of files that
stands in for a full one works everywhere.
"""

import os
import resource
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from postroom.testing import message

if TYPE_CHECKING:
    from tests.acceptance.conftest import Site

SMALL = message(from_="jane@home.example", to="you@home.example", subject="Sunday", text="Lunch?").replace(
    b"\r\n", b"\n"
)
BIG = SMALL + b"0123456789abcdef\n" * 20_000
SETTINGS = """\
state: state
pipelines: pipelines
spool: {min-free: 0}
mailboxes:
  stdin: {url: "stdin:", pipeline: main, store: mail, state: state}
"""
# $1 the directory, $2 how to mount it, $3 how to mend it, then the command. The mounts end with the shell.
SCRIPT = """\
place=$1 mend=$3
eval "$2" || exit 99
shift 3
"$@" < message 2> first; echo "$?"
find state/spool mail -type f | wc -l
eval "$mend" || exit 99
"$@" < message 2> second; echo "$?"
mkdir kept && find mail -type f -path '*/new/*' -exec cp {} kept ';'
"""
READ_ONLY = 'mount --bind "$place" "$place" && mount -o remount,ro,bind "$place"'
WRITABLE = 'mount -o remount,rw,bind "$place"'


def mounts_are_allowed() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    tried = ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt && mount -o remount,ro /mnt"]
    return subprocess.run(tried, capture_output=True, timeout=30, check=False).returncode == 0


MOUNTS = mounts_are_allowed()


@dataclass(frozen=True)
class Told:
    """What came of two offers, the disk mended in between. `left`: files in spool and store after the first."""

    first: int
    left: int
    second: int
    error: str
    kept: list[bytes]


def offered(site: "Site", raw: bytes, place: str, mount: str, mend: str) -> Told:
    for name in ("state/spool", "mail"):
        (site.root / name).mkdir(parents=True, exist_ok=True)
    (site.root / "message").write_bytes(raw)
    command = ["unshare", "-m", "sh", "-c", SCRIPT, "sh", str(site.root / place), mount, mend, *site.command("filter")]
    done = subprocess.run(command, cwd=site.root, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    first, left, second = map(int, done.stdout.split())
    kept = [file.read_bytes() for file in sorted((site.root / "kept").iterdir())]
    return Told(first, left, second, (site.root / "first").read_text(), kept)


@pytest.mark.parametrize("room", [0, 4096, 65536, 200_000])
def test_a_full_disk_is_75_and_leaves_nothing_half_written(site: "Site", room: int) -> None:
    """RLIMIT_FSIZE stands in for a full disk: every write past it fails."""

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    done = subprocess.run(
        site.command("filter"), input=BIG, capture_output=True, cwd=site.root, preexec_fn=limited, check=False
    )
    assert done.returncode == 75
    assert done.stderr.startswith(b"4.3.0 ")
    assert site.everything() == []
    assert site.filter(BIG).returncode == 0
    assert len(site.mail()) == 1


def test_a_spool_that_is_no_directory_is_75(site: "Site") -> None:
    (site.root / "state").mkdir()
    (site.root / "state/spool").write_text("in the way")
    done = site.filter(BIG)
    assert done.returncode == 75
    assert b"spool" in done.stderr


def test_a_store_that_is_no_directory_is_75_and_the_next_offer_delivers(site: "Site") -> None:
    site.store.write_text("in the way")
    assert site.filter(SMALL).returncode == 75
    site.store.unlink()
    assert site.filter(SMALL).returncode == 0
    assert len(site.mail()) == 1


class Disk:
    """Tests on real mounts, collected where these are allowed."""

    @pytest.mark.parametrize("place", ["state", "state/spool", "mail"])
    @pytest.mark.parametrize("size", ["4k", "64k", "192k"])
    def test_a_disk_that_is_full_is_75_and_the_next_offer_delivers(self, site: "Site", place: str, size: str) -> None:
        site.settings(SETTINGS)
        mount = f'mount -t tmpfs -o size={size} none "$place" && mkdir -p state/spool'
        told = offered(site, BIG, place, mount, 'mount -o remount,size=64m "$place"')
        assert (told.first, told.second) == (75, 0)
        assert told.error.startswith("4.3.0 postroom filter: ")
        assert "Traceback" not in told.error
        assert told.left <= (place == "mail")  # a message that only the store had no room for waits in the spool
        assert [raw.endswith(BIG) for raw in told.kept] == [True]

    def test_a_disk_with_less_than_the_free_space_asked_for_takes_no_message(self, site: "Site") -> None:
        mount = 'mount -t tmpfs -o size=16m none "$place" && mkdir -p state/spool'
        told = offered(site, BIG, "state", mount, 'mount -o remount,size=2g "$place"')
        assert (told.first, told.second, told.left) == (75, 0, 0)
        assert "free" in told.error

    @pytest.mark.parametrize(
        ("place", "raw"), [("state", SMALL), ("state/spool", BIG), ("mail", SMALL)], ids=["state", "spool", "store"]
    )
    def test_a_read_only_disk_is_75_and_the_next_offer_delivers(self, site: "Site", place: str, raw: bytes) -> None:
        site.settings(SETTINGS)
        told = offered(site, raw, place, READ_ONLY, WRITABLE)
        assert (told.first, told.second) == (75, 0)
        assert told.error.startswith("4.3.0 postroom filter: ")
        assert Path(place).name in told.error
        assert told.left == 0
        assert [one.endswith(raw) for one in told.kept] == [True]


if MOUNTS:

    class TestDisk(Disk):
        """As above."""
