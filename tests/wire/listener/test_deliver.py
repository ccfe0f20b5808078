"""`postroom-deliver`: standard input handed to the service, and an exit status that bounces nothing by mistake."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from postroom.testing import Failures

SCRIPT = Path(__file__).parents[3] / "deploy/postroom-deliver"
LETTER = b"Subject: Lunch\n\nSunday?\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "lmtp.sock"


def deliver(
    message: bytes, place: Path, *options: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    command = [SCRIPT, "--socket", place, *options]
    given = {"PATH": "/usr/bin:/bin"} | dict(environment or {})
    return subprocess.run(command, input=message, env=given, capture_output=True, timeout=60, check=False)


def test_a_message_is_handed_over(posts, desk, place) -> None:
    posts(f"lmtp+unix:{place}")
    done = deliver(
        b".a dot\nSubject: x\r\n\r\n.\n..\nlast", place, "--sender=bob@example.org", "--recipient", "ann@example.com"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    [row] = desk.rows()
    assert desk.bytes_of(row) == b".a dot\r\nSubject: x\r\n\r\n.\r\n..\r\nlast\r\n"
    assert (row.sender, row.recipients) == ("bob@example.org", ("ann@example.com",))


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"SENDER": "bob@example.org", "RECIPIENT": "ann@example.com"}, ("bob@example.org", "ann@example.com")),
        ({"SENDER": "MAILER-DAEMON", "RECIPIENT": "ann@example.com"}, ("", "ann@example.com")),
        ({"RECIPIENT": "ann@example.com", "EXTENSION": "list"}, ("", "ann+list@example.com")),
        ({"RECIPIENT": "ann+list@example.com", "EXTENSION": "list"}, ("", "ann+list@example.com")),
        ({"LOGNAME": "postmaster"}, ("", "postmaster")),
        ({"SENDER": "bøb@example.org", "RECIPIENT": "ænn@example.com"}, ("bøb@example.org", "ænn@example.com")),
    ],
    ids=["as Postfix sets it", "null sender", "extension apart", "extension within", "login name", "beyond ASCII"],
)
def test_the_envelope_comes_from_the_environment(posts, desk, place, environment, expected) -> None:
    posts(f"lmtp+unix:{place}")
    assert deliver(LETTER, place, environment=environment).returncode == 0
    [row] = desk.rows()
    assert (row.sender, *row.recipients) == expected


def test_the_from_line_is_the_carriers(posts, desk, place) -> None:
    posts(f"lmtp+unix:{place}")
    message = b"From bob@example.org Sun Mar  1 18:30:00 2026\n" + LETTER
    assert deliver(message, place, "--recipient=ann@example.com").returncode == 0
    [row] = desk.rows()
    assert row.sender == "bob@example.org"
    assert desk.bytes_of(row) == LETTER.replace(b"\n", b"\r\n")


def test_a_large_message_and_one_of_a_single_line_arrive_whole(posts, desk, place) -> None:
    desk.largest = 10_000_000
    posts(f"lmtp+unix:{place}")
    for message in (b"A: b\n\n" + b".line\r\n" * 500_000, b"x" * 3_000_000, b""):
        assert deliver(message, place, "--recipient=ann@example.com").returncode == 0
    lines, single, empty = desk.rows()
    assert desk.bytes_of(lines) == b"A: b\r\n\r\n" + b".line\r\n" * 500_000
    assert desk.bytes_of(single) == b"x" * 3_000_000 + b"\r\n"
    assert desk.bytes_of(empty) == b""


def test_semantics_1_a_service_that_is_away_is_75(place) -> None:
    done = deliver(LETTER, place, "--recipient=ann@example.com")
    assert done.returncode == 75
    assert done.stderr.startswith(b"4.3.0 postroom-deliver: ")


def test_a_service_that_is_away_is_told_with_its_socket(place) -> None:
    done = deliver(LETTER, place, "--recipient=bob@example.com")
    assert done.stderr.decode().endswith(f": the service is not reached at {place}: No such file or directory\n")


def test_help_is_told_and_is_no_delivery(tmp_path) -> None:
    done = subprocess.run([SCRIPT, "--help"], input=LETTER, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Ends with 0: Postroom has it." in done.stdout


def test_semantics_3_a_refused_recipient_is_77_with_its_code_in_front(posts, desk, place) -> None:
    posts(f"lmtp+unix:{place}")
    done = deliver(LETTER, place, "--recipient=ann@example.com", "--recipient=nobody@example.net")
    assert (done.returncode, done.stderr) == (77, b"5.1.1 no such recipient here\n")
    assert desk.rows() == []


def test_a_failure_of_the_service_is_75(posts, desk, place) -> None:
    desk.taking = Failures({1})
    posts(f"lmtp+unix:{place}")
    done = deliver(LETTER, place, "--recipient=ann@example.com")
    assert (done.returncode, done.stderr) == (75, b"4.3.0 not now, come again\n")


def test_a_message_that_is_too_large_is_77(posts, desk, place) -> None:
    posts(f"lmtp+unix:{place}")
    assert deliver(b"x" * 1_500_000, place, "--recipient=ann@example.com").returncode == 77


@pytest.mark.parametrize(
    "options",
    [["--nonsense"], ["--recipient"], ["stray"], ["--recipient=a>b@example.com"], ["--recipient=a\nb"], []],
    ids=repr,
)
def test_semantics_1_what_is_wrong_with_the_call_is_75(posts, place, options) -> None:
    posts(f"lmtp+unix:{place}")
    done = deliver(LETTER, place, *options)
    assert done.returncode == 75
    assert done.stderr.startswith(b"4.3.0 postroom-deliver: ")
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"220 ",
        b"500 what?\r\n",
        b"220 hello\r\n503 no\r\n",
        b"220 hello\r\n250-x\r\n250 y\r\n421 bye\r\n",
        b"\xff\r\n",
    ],
    ids=repr,
)
def test_semantics_1_a_service_that_says_something_else_is_75(place, said) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(said)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        done = deliver(LETTER, place, "--recipient=ann@example.com")
        thread.join(60)
    assert done.returncode == 75


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_semantics_2_every_signal_is_75(posts, desk, place, number) -> None:
    posts(f"lmtp+unix:{place}")
    desk.held.set()
    command = [SCRIPT, "--socket", place, "--recipient=ann@example.com"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(LETTER)
        process.stdin.close()
        assert desk.began.wait(60)
        process.send_signal(number)
        assert process.wait(60) == 75


def test_semantics_1_without_a_python_it_is_75(tmp_path) -> None:
    script = tmp_path / "postroom-deliver"
    script.write_text(SCRIPT.read_text().replace("/usr/", "/nonexistent/"))
    script.chmod(0o755)
    done = subprocess.run([script], input=LETTER, capture_output=True, timeout=60, check=False)
    assert done.returncode == 75
    assert done.stderr.startswith(b"4.3.0 ")


def test_it_needs_nothing_that_is_not_part_of_the_interpreter() -> None:
    command = ["/usr/bin/python3", "-ISX", "importtime", SCRIPT, "--nonsense"]
    bare = subprocess.run([*command[:3], "-c", "pass"], capture_output=True, text=True, timeout=60, check=False)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def modules(report: str) -> set[str]:
        return {line.rpartition("|")[2].strip() for line in report.splitlines() if line.startswith("import time:")}

    assert modules(done.stderr) - modules(bare.stderr) <= {"_signal", "_socket", "posix"}
    assert os.access(SCRIPT, os.X_OK)
