"""`filter` killed between reading and exit, then offered the same message again."""

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

POINTS = 24
# What changes the disk, in the order a delivery does it; counting these from outside needs no hook in the product.
CALLS = "write,writev,pwrite64,fsync,fdatasync,link,linkat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,ftruncate,openat,clone,clone3,vfork"
PIPELINE = """\
name: main
rules:
  - name: everything
    do:
      - extract: papers
      - exec: [/bin/sh, -c, 'cat >/dev/null; echo done >> "$0"', {ran}]
      - file: second/
      - flag: '\\Seen'
      - move: Archive/2026
"""
MESSAGE = (
    b"From: a@x.example\r\nTo: b@y.example\r\nSubject: s\r\nMessage-ID: <crash@x.example>\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
    b'--b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="a.bin"\r\n\r\n'
    + b"0123456789abcdef\r\n" * 9000  # above what is kept inline, so that the spool takes part
    + b"--b--\r\n"
)


def traced(site, log: Path, *extra: str) -> subprocess.CompletedProcess[bytes]:
    strace = ("strace", "-f", "-o", str(log), "-e", f"trace={CALLS},read,exit_group", *extra, "--")
    return site.run("filter", message=MESSAGE, prefix=strace)


def points(log: Path) -> list[tuple[str, int]]:
    """Every disk-changing call of the main process after it began to read the message, as (name, how many-th)."""
    counts: Counter[str] = Counter()
    found: list[tuple[str, int]] = []
    main = None
    reading = False
    for line in log.read_text(errors="replace").splitlines():
        match = re.match(r"(\d+) +(\w+)\((\d*)", line)
        if not match:
            continue
        pid, name, first = match.groups()
        main = main or pid
        if pid != main:
            continue
        reading = reading or (name == "read" and first == "0")
        if name in ("read", "exit_group"):
            continue
        counts[name] += 1
        if reading and not (name == "openat" and "O_CREAT" not in line):
            found.append((name, counts[name]))
    return found


@pytest.mark.timeout(1200)  # two dozen messages under strace
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is missing: crash points cannot be counted")
def test_a_message_survives_a_kill_at_any_point_and_recorded_effects_are_not_repeated(site, tmp_path):
    ran = tmp_path / "ran"
    site.pipeline(PIPELINE.replace("{ran}", str(ran)))
    calm = traced(site, tmp_path / "calm.log")
    assert calm.returncode == 0, calm.stderr
    every = points(tmp_path / "calm.log")
    assert len(every) >= POINTS
    chosen = [every[round(i * (len(every) - 1) / (POINTS - 1))] for i in range(POINTS)]
    for name, number in dict.fromkeys(chosen):
        for path in ("state", "mail"):
            shutil.rmtree(tmp_path / path, ignore_errors=True)
        ran.unlink(missing_ok=True)
        where = f"killed at {name} number {number}"
        killed = traced(site, tmp_path / "kill.log", "-e", f"inject={name}:signal=SIGKILL:when={number}")
        assert killed.returncode != 0, where
        for file in [*site.everything(), *site.mail(store=tmp_path / "state/files/second")]:
            assert file.stat().st_size == len(MESSAGE.replace(b"\r\n", b"\n")), f"{where}: half a message is visible"
        recorded = 0
        if (tmp_path / "state/ledger.db").exists() and site.ledger("select 1 from sqlite_master where name='effect'"):
            recorded = site.ledger("select count(*) from effect where word='exec' and state='done'")[0][0]
        before = ran.read_text().count("done") if ran.exists() else 0

        again = site.filter(MESSAGE)

        assert again.returncode == 0, (where, again.stderr)
        assert len(site.mail("Archive/2026")) == 1, where
        assert len(site.everything()) == 1, where
        assert len(site.mail(store=tmp_path / "state/files/second")) == 1, where
        assert [p.name for p in (tmp_path / "state/files/papers").iterdir()] == ["a.bin"], where
        after = ran.read_text().count("done")
        assert after >= 1, where
        if recorded:
            assert after == before, f"{where}: an effect that was recorded done was done again"
        assert site.ledger("select state from message where state not in ('settled', 'done')") == [], where
