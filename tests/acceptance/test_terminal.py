"""What commands print on terminals of all kinds: narrow, without UTF-8, without colours, piped, completing."""

import os
import pty
import re
import subprocess
import sys
from contextlib import suppress

import pytest

from postroom.cli.main import COMMANDS
from postroom.testing import message

NAMES = [*(command.__name__ for command in COMMANDS), "filter"]
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
LATIN = {"PYTHONIOENCODING": "latin-1"}
RULES = 'name: main\nrules:\n  - {name: Cake, when: {subject: "*café*"}, do: keep}\n'
CAFE = message(subject="Cake at the café ☕")


def said(*arguments: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "postroom", *arguments],
        capture_output=True,
        env={**os.environ, **more},
        timeout=120,
        check=False,
    )


def on_a_terminal(site, *arguments: str, **more: str) -> bytes:
    """What a command writes when its output is a terminal."""
    leader, follower = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", **more}
    with subprocess.Popen(site.command(*arguments), stdout=follower, stderr=follower, cwd=site.root, env=env):
        os.close(follower)
        told = b""
        with suppress(OSError):  # EIO: the command has ended
            while block := os.read(leader, 65536):
                told += block
    os.close(leader)
    return told


@pytest.mark.parametrize("name", NAMES)
def test_help_of_every_command_fits_80_columns_and_is_ascii(name):
    done = said(name, "--help", COLUMNS="80", **ASCII)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode("ascii").splitlines()
    assert max(map(len, lines)) <= 80
    assert not re.search(r"<\w+>|\{\w|list\[", done.stdout.decode()), "types are no help"


def test_help_names_every_command_with_its_first_sentence():
    told = said("--help").stdout.decode()
    assert re.findall(r"^  ([a-z]+) {2,}[A-Z]", told, re.MULTILINE) == sorted(
        NAMES, key=lambda name: told.index(f"\n  {name} ")
    )


def test_a_wrong_option_is_told_in_words_for_people():
    done = said("messages", "--state", "gone")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"Invalid value for '--state': 'gone' is not one of 'wanted'" in done.stderr


def test_the_version_is_told():
    from postroom import __version__

    assert said("--version").stdout.decode() == f"postroom {__version__}\n"


@pytest.mark.parametrize(("locale", "mark"), [(ASCII, b"+ main"), (LATIN, b"+ main"), ({}, "✓ main".encode())])
def test_a_message_is_explained_in_any_locale(site, locale, mark):
    site.pipeline(RULES)
    (site.root / "cake.eml").write_bytes(CAFE)
    done = site.run("explain", "cake.eml", env=locale)
    assert (done.returncode, done.stderr) == (0, b"")
    assert mark in done.stdout


@pytest.mark.parametrize("command", ["check", "test", "status", "messages"])
def test_no_locale_makes_a_command_fail(site, command):
    site.pipeline(f"{RULES}tests:\n  - {{name: ☕, message: {{subject: a café}}, expect: keep}}\n")
    site.filter(CAFE)
    done = site.run(command, env=ASCII)
    assert (done.returncode, done.stderr) == (0, b"")


def test_colours_are_there_on_a_terminal_and_gone_where_nobody_wants_them(site):
    site.pipeline(RULES)
    (site.root / "cake.eml").write_bytes(CAFE)
    assert b"\x1b[32m" in on_a_terminal(site, "explain", "cake.eml")
    assert b"\x1b" not in on_a_terminal(site, "explain", "cake.eml", NO_COLOR="1", TERM="dumb")
    assert b"\x1b" not in site.run("explain", "cake.eml").stdout


def test_a_long_folder_is_shown_to_its_end_in_80_columns(site):
    folder = "Lists/" + "abcdefghij" * 6
    site.pipeline(f"name: main\nrules:\n  - {{name: Long, do: {{move: {folder}}}}}\n")
    site.filter(CAFE)
    told = on_a_terminal(site, "messages", NO_COLOR="1", TERM="dumb").decode()
    assert max(map(len, told.splitlines())) <= 80
    assert folder in "".join(line[-24:].strip() for line in told.splitlines())


def test_a_reader_that_goes_away_is_no_traceback(site):
    (site.root / "cake.eml").write_bytes(CAFE)
    command = " ".join(site.command("explain", *["cake.eml"] * 2000))
    done = subprocess.run(["/bin/sh", "-c", f"{command} | head -1"], capture_output=True, cwd=site.root, check=False)
    assert done.stderr == b""


def test_a_shell_completes_commands_options_and_names_of_the_settings(site):
    def completed(*words: str) -> list[str]:
        line = ["postroom", *words]
        asked = {"COMP_WORDS": "\n".join(line), "COMP_CWORD": str(len(words)), "_POSTROOM_COMPLETE": "complete_bash"}
        code = "import sys; sys.argv[0] = 'postroom'; from postroom.__main__ import main; main()"
        found = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, cwd=site.root, env={**os.environ, **asked}, check=False
        )
        return found.stdout.decode().split()

    assert completed("sta") == ["status"]
    assert "--pipeline" in completed("explain", "--p")
    assert completed("explain", "--mailbox", "st") == ["stdin"]
    assert completed("test", "m") == ["main"]
    assert completed("show", "--config", "/nowhere", "--mailbox", "") == []


def test_a_person_at_a_terminal_is_told_that_a_message_is_waited_for(site):
    leader, follower = pty.openpty()
    with subprocess.Popen(site.command("filter"), stdin=follower, stderr=subprocess.PIPE, cwd=site.root) as process:
        os.close(follower)
        assert process.stderr is not None
        assert process.stderr.readline() == b"A message is expected on standard input; Ctrl-D ends it.\n"
        os.write(leader, b"Subject: by hand\n\nHello.\n\x04")
        assert process.wait(timeout=60) == 0
    os.close(leader)
    assert len(site.mail()) == 1
