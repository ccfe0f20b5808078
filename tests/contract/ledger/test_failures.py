"""Whatever is wrong with the database becomes one sentence that names place and remedy."""

import pwd
import sqlite3
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from postroom.errors import Permanent, Temporary
from postroom.ledger import Ledger, Query
from postroom.ledger.failures import SQLITE, UNKNOWN, remedy, translated
from postroom.ledger.files import file_system, is_network
from postroom.ledger.statements import sql

QUICK = timedelta(milliseconds=50)


def run(program: str, *arguments: object) -> str:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


OPEN = "import sys\nfrom postroom.ledger import *\nfrom postroom.errors import *\n"


def test_files_are_private_even_under_an_open_umask(tmp_path: Path) -> None:
    path = tmp_path / "state" / "deep" / "ledger.db"
    program = OPEN + (
        "import os; os.umask(0); from pathlib import Path\n"
        "ledger = Ledger.open('sqlite:///' + sys.argv[1]); ledger.find(Query())\n"
        "for path in [Path(sys.argv[1]).parent.parent, *sorted(Path(sys.argv[1]).parent.iterdir())]:\n"
        "    print(path.name, oct(path.stat().st_mode & 0o777))\n"
    )
    lines = run(program, path).splitlines()
    assert lines == ["state 0o700", "ledger.db 0o600", "ledger.db-shm 0o600", "ledger.db-wal 0o600"]
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(b"no database at all\n" * 200, "is damaged or no ledger", id="other file"),
        pytest.param(b"SQLite format 3\0" + b"\xff" * 8192, "is damaged or no ledger", id="broken header"),
    ],
)
def test_a_damaged_file_is_temporary_and_left_as_it_is(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    with pytest.raises(Temporary, match=f"the ledger {path} cannot be used: it {sentence}"):
        Ledger.open(f"sqlite:///{path}")
    assert path.read_bytes() == content


def test_a_ledger_damaged_in_its_middle_is_temporary_when_it_is_read(tmp_path: Path, make_clerk: Any) -> None:
    path = tmp_path / "ledger.db"
    ledger = Ledger.open(f"sqlite:///{path}")
    make_clerk(ledger).receive(*map(str, range(200)))
    ledger.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(Temporary, match="damaged"):
        Ledger.open(f"sqlite:///{path}").find(Query())


def test_a_path_through_a_file_is_temporary(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Temporary, match=f"the ledger {tmp_path}/file/ledger.db cannot be used: .*directory"):
        Ledger.open(f"sqlite:///{tmp_path}/file/ledger.db")


def test_a_ledger_that_cannot_be_written_is_temporary() -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "ledger.db")
        Ledger.open(f"sqlite:///{path}").close()
        path.chmod(0o444)
        Path(directory).chmod(0o555)
        nobody = pwd.getpwnam("nobody").pw_uid
        # Root is asked no permission, so the child becomes somebody who is, once it has read our code.
        program = OPEN + (
            "import os, postroom.ledger.sqlite\n"
            "if os.geteuid() == 0: os.setuid(int(sys.argv[2]))\n"
            "try: Ledger.open('sqlite:///' + sys.argv[1]).drop(1, 'x')\n"
            "except Temporary as error: print(error)\n"
        )
        said = run(program, path, nobody)
        Path(directory).chmod(0o700)
    assert f"the ledger {path} cannot be used: it cannot be " in said
    assert "check owner" in said or "its owner and mode" in said


def test_a_full_disk_is_temporary_and_costs_only_what_was_not_committed(tmp_path: Path, make_clerk: Any) -> None:
    path = tmp_path / "ledger.db"
    program = OPEN + (
        "import resource; from datetime import datetime, UTC, timedelta\n"
        "ledger = Ledger.open('sqlite:///' + sys.argv[1])\n"
        "def record(key, size):\n"
        "    now, content = datetime.now(UTC), b'x' * size\n"
        "    arrival = Arrival(source_key=key, pipeline='p', received=now, content=content)\n"
        "    return ledger.record('stdin', Batch(arrivals=(arrival,)))\n"
        "record('before', 10)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))\n"
        "try: record('too large', 1_000_000)\n"
        "except Temporary as error: print(error)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "record('after', 10)\n"
    )
    said = run(program, path)
    assert said.startswith(f"the ledger {path} cannot be used: its disk ")
    ledger = Ledger.open(f"sqlite:///{path}")
    assert {row.source_key for row in ledger.find(Query())} == {"before", "after"}
    ledger.close()


def test_a_ledger_locked_by_another_process_is_temporary(tmp_path: Path, make_clerk: Any) -> None:
    path = tmp_path / "ledger.db"
    ledger = Ledger.open(f"sqlite:///{path}", wait=QUICK)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(Temporary, match="it is locked by another process"):
        make_clerk(ledger).receive()
    assert ledger.find(Query()) == ()
    holder.execute("ROLLBACK")
    holder.close()
    make_clerk(ledger).receive()
    ledger.close()


def test_a_commit_on_sqlite_is_on_the_disk_when_it_returns(tmp_path: Path) -> None:
    with closing(Ledger.open(f"sqlite:///{tmp_path}/ledger.db")) as ledger, ledger._database.reading() as connection:
        [synchronous] = dict(connection.rows(sql("PRAGMA synchronous"))[0]).values()
        [journal] = dict(connection.rows(sql("PRAGMA journal_mode"))[0]).values()
    assert (synchronous, journal) == (2, "wal")  # FULL


def test_a_commit_on_postgresql_is_on_the_disk_when_it_returns_whatever_is_set_for_others(postgresql: Any) -> None:
    url = f"{postgresql()}%20-csynchronous_commit%3Doff"  # behind the options that are there
    with closing(Ledger.open(url)) as ledger, ledger._database.reading() as connection:
        [found] = dict(connection.rows(sql("SHOW synchronous_commit"))[0]).values()
    assert found == "on"


def test_a_row_that_another_holds_in_postgresql_is_not_waited_for_without_end(postgresql: Any, make_clerk: Any) -> None:
    url = postgresql()
    ledger, other = Ledger.open(url, wait=timedelta(seconds=1)), Ledger.open(url)
    claim = make_clerk(ledger).claim()
    with other._database.writing() as connection:
        connection.rows(sql("SELECT id FROM message FOR UPDATE"))
        with pytest.raises(Temporary, match="a row is locked by another process for too long"):
            ledger.release([claim])
    ledger.release([claim])
    ledger.close()
    other.close()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        pytest.param("postgresql://user:secret@127.0.0.1:1/db", "the connection to the server failed", id="no server"),
        pytest.param("mysql://user:secret@host/db", "a ledger is sqlite or postgresql", id="another database"),
        pytest.param("user:secret", "is no URL", id="no URL"),
    ],
)
def test_a_url_that_leads_nowhere_is_temporary_and_its_password_stays_hidden(url: str, sentence: str) -> None:
    with pytest.raises(Temporary, match=sentence) as caught:
        Ledger.open(url, wait=QUICK)
    error: BaseException | None = caught.value
    while error is not None:
        assert "secret" not in str(error)
        error = error.__cause__


def test_an_error_tells_nothing_of_the_values(ledger: Ledger, make_clerk: Any) -> None:
    clerk = make_clerk(ledger)
    first = clerk.planned(clerk.effect("same"), key="1")
    second = clerk.claim("2")
    doubled = [clerk.effect("x"), clerk.effect("private words")]
    with pytest.raises(Permanent) as caught:
        clerk.plan(second, *doubled)
    assert "private words" not in f"{caught.value} {caught.value.__cause__}"
    assert first.id != second.id


# The others are no errors, or errors of ours or of values, which no operator can mend.
_UNTOLD = {
    *(
        sqlite3.SQLITE_OK,
        sqlite3.SQLITE_ROW,
        sqlite3.SQLITE_DONE,
        sqlite3.SQLITE_NOTICE,
        sqlite3.SQLITE_WARNING,
    ),
    *(sqlite3.SQLITE_ERROR, sqlite3.SQLITE_INTERNAL, sqlite3.SQLITE_ABORT, sqlite3.SQLITE_INTERRUPT),
    *(sqlite3.SQLITE_NOTFOUND, sqlite3.SQLITE_EMPTY, sqlite3.SQLITE_SCHEMA, sqlite3.SQLITE_TOOBIG),
    *(sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE),
}


def test_every_error_of_sqlite_that_an_operator_can_mend_has_its_sentence() -> None:
    primary = {*range(29), sqlite3.SQLITE_ROW, sqlite3.SQLITE_DONE}
    assert set(SQLITE) == primary - _UNTOLD


@pytest.mark.parametrize("driver", [sqlite3, psycopg], ids=["sqlite", "postgresql"])
def test_every_error_of_a_driver_is_translated(driver: Any) -> None:
    kinds = [kind for kind in vars(driver).values() if isinstance(kind, type) and issubclass(kind, driver.Error)]
    assert len(kinds) > 7
    for kind in kinds:
        with pytest.raises((Temporary, Permanent)) as caught, translated("L", driver):
            raise kind("odd")
        assert isinstance(caught.value, Permanent) == issubclass(kind, driver.DataError | driver.IntegrityError)
    assert remedy(RuntimeError(), driver) == UNKNOWN


MOUNTS = r"""
21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
22 21 0:30 / /home rw - nfs4 server:/home rw
23 22 0:31 / /home/local\040disk rw shared:2 master:1 - xfs /dev/vdb rw
24 21 0:32 / /cloud rw - fuse.sshfs host: rw
25 21 0:33 / /crypt rw - fuse.gocryptfs x rw
26 21 0:34 / /twice rw - ext4 /dev/vdc rw
27 21 0:35 / /twice rw - cifs //host/share rw
a line that is not like the others
"""


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        pytest.param("/srv/ledger.db", "ext4", False, id="root"),
        pytest.param("/home/a/ledger.db", "nfs4", True, id="nfs"),
        pytest.param("/homely/ledger.db", "ext4", False, id="a name that only begins alike"),
        pytest.param("/home/local disk/ledger.db", "xfs", False, id="local below nfs, escaped"),
        pytest.param("/cloud/ledger.db", "fuse.sshfs", True, id="sshfs"),
        pytest.param("/crypt/ledger.db", "fuse.gocryptfs", False, id="local fuse"),
        pytest.param("/twice/ledger.db", "cifs", True, id="the later mount lies on top"),
    ],
)
def test_network_file_systems_are_told_by_the_table_of_mounts(path: str, kind: str, network: bool) -> None:
    assert file_system(Path(path), MOUNTS) == kind
    assert is_network(kind) == network


def test_a_system_without_a_table_of_mounts_refuses_nothing() -> None:
    assert file_system(Path("/srv"), "") == ""
    assert not is_network("")


def test_an_opening_that_may_not_make_a_ledger_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(Temporary, match="there is no ledger at"):
        Ledger.open(f"sqlite:///{tmp_path}/none/ledger.db", create=False)
    assert list(tmp_path.iterdir()) == []
