"""A thread that ends takes the service with it: a supervisor starts it anew, instead of mail that waits for ever."""

import json
import os
import subprocess
import sys

import pytest

from acceptance.conftest import Site

SETTINGS = """\
state: state
pipelines: pipelines
metrics: {listen: none}
mailboxes:
  box: {url: "maildir:box", pipeline: main, start: all}
"""
# The service, and in its process a thread that does something when it is told to.
BESIDE = """\
import sys, threading, time
from pathlib import Path
from celery.worker import state

def act():
    while not Path("now").exists():
        time.sleep(0.01)
    {act}

threading.Thread(target=act, name="{name}", daemon=True).start()
from postroom.__main__ import main
main()
"""


@pytest.mark.parametrize(
    ("name", "act", "status", "reason"),
    [
        ("intake", "raise ValueError('a subject')", 75, "the thread `intake` ended: unexpected ValueError"),
        ("other", "state.should_stop = 0", 75, "the worker takes no tasks any more"),
        ("theirs", "raise ValueError('a subject')", 0, "unexpected ValueError in a thread of no consequence"),
    ],
    ids=["a thread of ours", "the worker of the queue", "a thread of a library"],
)
def test_a_thread_that_ends_is_the_end_of_the_service(
    site: Site, name: str, act: str, status: int, reason: str
) -> None:
    site.settings(SETTINGS)
    command = [sys.executable, "-c", BESIDE.format(name=name, act=act), *site.command("run")[3:]]
    with (site.root / "log").open("ab") as log:
        process = subprocess.Popen(command, cwd=site.root, stdout=log, stderr=log, env=os.environ)
    try:
        site.until(lambda: "service.started" in site.log)
        (site.root / "now").touch()
        site.until(lambda: "service.failed" in site.log)
        if status == 0:
            process.terminate()
        assert process.wait(60) == status
    finally:
        process.kill()
        process.wait()
    *events, last = (json.loads(line) for line in site.log.splitlines() if line.startswith("{"))
    assert [one["reason"] for one in events if one["event"] == "service.failed"] == [reason]
    assert last["event"] == "service.stopped"
    assert "a subject" not in site.log
