"""One process per message on standard input: `postroom-deliver` into a running service, beside procmail and bare Python.

    python benchmarks/deliver.py [--count 40] [--rounds 3]

Prints medians over the rounds, and the ratio to a bare start of the same Python. procmail is left out where it is not
installed.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import corpus
import lmtp
from peers import rules

SCRIPT = lmtp.ROOT / "deploy/postroom-deliver"
PYTHON = "/usr/bin/python3"  # which the script starts where none lies beside it
BARE = "bare Python, -c pass"


def measure(command: list[str | Path], messages: list[Path], home: Path) -> float:
    """Seconds per message."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    start = time.perf_counter()
    for message in messages:
        with message.open("rb") as stdin:
            subprocess.run(command, stdin=stdin, cwd=home, env=environment, check=True)
    return (time.perf_counter() - start) / len(messages)


def commands(home: Path, socket: Path) -> dict[str, list[str | Path]]:
    found: dict[str, list[str | Path]] = {
        BARE: [PYTHON, "-c", "pass"],
        "bare Python, -IS -c pass": [PYTHON, "-IS", "-c", "pass"],
        "postroom-deliver": [SCRIPT, "--socket", socket, "--recipient", "u0"],
    }
    if procmail := shutil.which("procmail"):
        (home / "procmail").mkdir()
        (home / "procmailrc").write_text(rules.procmailrc(f"{home}/procmail"))
        found["procmail, ten rules"] = [procmail, home / "procmailrc"]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=40, help="messages of each case in a round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="postroom-bench-") as name:
        home = Path(name)
        messages = [home / f"message-{number}" for number in range(options.count)]
        for number, message in enumerate(messages):
            message.write_bytes(corpus.message(number, small=True).replace(b"\r\n", b"\n"))
        with lmtp.postroom(home / "service", f"lmtp+unix:{home}/lmtp.sock") as server:
            cases = commands(home, home / "lmtp.sock")
            times: dict[str, list[float]] = {case: [] for case in cases}
            for _ in range(options.rounds):
                for case, command in cases.items():
                    times[case].append(measure(command, messages, home))
            expected = options.count * options.rounds
            end = time.monotonic() + 60
            while server.delivered() < expected and time.monotonic() < end:
                time.sleep(0.05)
            report(times)
            print(f"\n{server.delivered()} of {expected} messages delivered by the service")


def report(times: dict[str, list[float]]) -> None:
    base = statistics.median(times[BARE])
    print("| case | ms per message, median [min..max] | x bare Python |\n|---|---|---|")
    for case, values in times.items():
        middle = statistics.median(values)
        spread = f"{middle * 1e3:.1f} [{min(values) * 1e3:.1f}..{max(values) * 1e3:.1f}]"
        print(f"| {case} | {spread} | {middle / base:.2f} |")


if __name__ == "__main__":
    main()
