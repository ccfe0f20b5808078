"""What a stranger wrote into a message, as commands show it: legible, and never obeyed by a terminal."""

import os
import pty
import subprocess
import unicodedata

import pytest

from acceptance.conftest import Site

# Sets the title, clears the screen, CSI as one character, right to left, a bell.
EVIL = "\x1b]0;title\x07\x1b[2J\x9b31m\u202egnp.exe\x00\r"
ENCODED = "".join(f"={octet:02X}" for octet in EVIL.encode())
MESSAGE = f"""\
From: =?utf-8?Q?{ENCODED}?= <jane@home.example>
Subject: =?utf-8?Q?{ENCODED}?=
Message-ID: <{EVIL[:-2]}@home.example>
X-Evil: {EVIL[:-2]}
X-Encoded: =?utf-8?Q?{ENCODED}?=

hello
""".encode()
RULES = """\
name: main
rules:
  - {name: all, when: {header.X-Evil: "*", header.X-Encoded: "*", from: {name: "*"}}, do: [{flag: x}, {move: "Of {{ subject }}"}]}
  - {name: none, when: {subject: nothing}, do: [{copy: "{{ from.name }}"}]}
"""
COMMANDS = [
    ("explain", "evil.eml"),
    ("explain", "--json", "evil.eml"),
    ("messages",),
    ("messages", "--json"),
    ("show", "1"),
    ("show", "--json", "1"),
]


@pytest.fixture
def site(site: Site) -> Site:
    site.pipeline(RULES)
    (site.root / "evil.eml").write_bytes(MESSAGE)
    assert site.run("filter", "--sender", f"{EVIL[:-2]}@home.example", message=MESSAGE).returncode == 0
    return site


def test_no_command_passes_on_what_a_terminal_obeys(site: Site) -> None:
    for command in COMMANDS:
        done = site.run(*command)
        assert done.returncode == 0, (command, done.stderr)
        obeyed = {char for char in done.stdout.decode() if unicodedata.category(char)[0] == "C"}
        assert obeyed <= {"\n", "\t"}, command


def test_on_a_terminal_a_table_shows_them_as_escapes(site: Site) -> None:
    leader, follower = pty.openpty()
    env = os.environ | {"TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen(site.command("messages"), stdout=follower, cwd=site.root, env=env) as process:
        os.close(follower)
        shown = b""
        try:
            while piece := os.read(leader, 1 << 16):
                shown += piece
        except OSError:  # Linux says so that the other end is closed
            pass
    os.close(leader)
    assert process.returncode == 0
    assert b"move Of" in shown
    assert b"\x1b]" not in shown
    assert b"\x1b[2J" not in shown
    assert "\u202e".encode() not in shown
