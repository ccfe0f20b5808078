"""Programs that print secrets, and what they may do instead."""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from postroom.errors import Temporary
from postroom.servers import _credentials
from postroom.settings.printing import printed
from postroom.settings.secrets import SecretSource
from postroom.settings.servers import RelayServer

SECRET = "hunter2-of-all-things"


def shell(script: str, seconds: float = 60.0) -> tuple[bytes, int]:
    return printed(["sh", "-c", script], 65536, seconds)


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_one_that_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        shell(f"sleep 1000 & echo $! > {tmp_path}/pid; wait", 1.0)
    pid = int((tmp_path / "pid").read_text())
    end = time.monotonic() + 20
    while is_alive(pid):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_one_that_closes_its_output_and_goes_on_is_killed() -> None:
    with pytest.raises(TimeoutError):
        shell(f"echo {SECRET}; exec >&-; sleep 1000", 1.0)


def test_one_that_prints_without_end_is_stopped_early() -> None:
    with pytest.raises(OSError, match="it printed too much"):
        shell("yes secret")


def test_an_agent_that_it_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    output, status = shell(f"sleep 1000 & echo $! > {tmp_path}/pid; echo {SECRET}")
    pid = int((tmp_path / "pid").read_text())
    try:
        assert (output, status) == (f"{SECRET}\n".encode(), 0)
        assert time.monotonic() - began < 50
        assert is_alive(pid)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (r"printf '\377\376'", "it printed no UTF-8 text"),
        ("yes", "it printed too much"),
        (f"echo {SECRET}; exit 3", "ended with status 3"),
        (f"echo {SECRET} >&2", "printed nothing"),
        (f"echo {SECRET} >&2; kill -9 $$", "ended with status -9"),
    ],
)
def test_rubbish_is_a_sentence_that_holds_nothing_of_it(
    script: str, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Temporary, match=told) as caught:
        SecretSource(command=("sh", "-c", script)).reveal()
    assert SECRET not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_however_many_connections_come_up_at_once_a_token_is_fetched_once(tmp_path: Path) -> None:
    program = f"import time; open({str(tmp_path / 'runs')!r}, 'a').write('x'); time.sleep(0.5); print({SECRET!r})"
    command = [sys.executable, "-c", program]
    credentials = _credentials(
        RelayServer.model_validate({"url": "smtp://me@mail.example", "auth": "xoauth2", "token-command": command})
    )
    assert credentials is not None
    together, found = threading.Barrier(16), list[str]()

    def fetch() -> None:
        together.wait()
        found.append(credentials.secret())

    threads = [threading.Thread(target=fetch) for _ in range(16)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == [SECRET] * 16
    assert (tmp_path / "runs").read_text() == "x"


def test_a_token_command_that_fails_is_told_to_all_who_wait_and_tried_again(tmp_path: Path) -> None:
    command = ["cat", str(tmp_path / "token")]
    credentials = _credentials(
        RelayServer.model_validate({"url": "smtp://me@mail.example", "auth": "xoauth2", "token-command": command})
    )
    assert credentials is not None
    with pytest.raises(Temporary, match="the secret command cat ended with status 1"):
        credentials.secret()
    (tmp_path / "token").write_text(SECRET)
    assert credentials.secret() == SECRET
