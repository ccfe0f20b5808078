"""One process per message on standard input: `postroom filter` with ten rules, beside procmail and bare Python.

    python benchmarks/filter.py [--count 30] [--rounds 3]

Prints medians over the rounds, and the ratio to a bare start of the same Python. procmail is left out where it is
not installed.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import corpus

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = """\
state: state
pipelines: {pipelines}
mailboxes: {{stdin: {{url: "stdin:", pipeline: procmail-style, store: mail, state: state}}}}
"""
PROCMAILRC = """\
MAILDIR={mail}
DEFAULT={mail}/
LOGABSTRACT=no
VERBOSE=no

:0
* ^X-Spam-Flag:.*YES
.Junk/

:0
* ^Subject:.*\\[invoice\\]
.Invoices/

:0
* ^List-Id:.*dev\\.lists
.ListDev/

:0
* ^List-Id:.*users\\.lists
.ListUsers/

:0
* ^List-Id:.*announce\\.lists
.ListAnnounce/

:0
* ^From:.*@bank\\.example
.Bank/

:0
* ^From:.*@shop\\.example
.Shop/

:0
* ^To:.*support@
.Support/

:0
* ^Subject:.*newsletter
.News/

:0
* ^Subject:.*viagra
.Junk/
"""


def measure(command: list[str], messages: list[Path], work: Path) -> float:
    """Seconds per message."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(work)}
    start = time.perf_counter()
    for message in messages:
        with message.open("rb") as stdin:
            subprocess.run(command, stdin=stdin, cwd=work, env=environment, check=True)
    return (time.perf_counter() - start) / len(messages)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=30, help="messages of each case in a round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "postroom.yaml").write_text(SETTINGS.format(pipelines=ROOT / "pipelines"))
        (work / "procmail").mkdir()
        (work / "procmailrc").write_text(PROCMAILRC.format(mail=work / "procmail"))
        commands = {
            "bare Python, -c pass": [sys.executable, "-c", "pass"],
            "bare Python, -I -S -c pass": [sys.executable, "-I", "-S", "-c", "pass"],
            "Python, import pydantic": [
                sys.executable,
                "-c",
                "from pydantic import BaseModel",
            ],
            "postroom filter": [sys.executable, "-m", "postroom", "filter", "--config", "postroom.yaml"],
        }
        if procmail := shutil.which("procmail"):
            commands["procmail"] = [procmail, str(work / "procmailrc")]
        times: dict[str, list[float]] = {case: [] for case in commands}
        for number in range(options.rounds):
            # New messages each round: a repeated offer would be found done and skip the work.
            messages = []
            for index in range(options.count):
                path = work / f"message-{number}-{index}"
                path.write_bytes(corpus.message(number * options.count + index, small=True).replace(b"\r\n", b"\n"))
                messages.append(path)
            for case, command in commands.items():
                times[case].append(measure(command, messages, work))
        report(times, work, options.count * options.rounds)


def report(times: dict[str, list[float]], work: Path, count: int) -> None:
    base = statistics.median(times["bare Python, -c pass"])
    print("| case | ms per message, median [min..max] | x bare Python |\n|---|---|---|")
    for case, values in times.items():
        middle = statistics.median(values)
        spread = f"{middle * 1e3:.1f} [{min(values) * 1e3:.1f}..{max(values) * 1e3:.1f}]"
        print(f"| {case} | {spread} | {middle / base:.2f} |")
    delivered = sum(len(list(sub.iterdir())) for sub in [*work.glob("mail/**/new"), *work.glob("mail/**/cur")])
    print(f"\n{delivered} of {count} messages delivered by postroom filter")


if __name__ == "__main__":
    main()
