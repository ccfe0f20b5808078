"""What rules cost per message: 10 against 1,000 rules of globs on `from` and `subject`, and ten everyday rules.

    python benchmarks/rules.py [--rounds 5]

Planning only: the message is parsed anew each time, nothing is performed. Medians of the rounds.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import corpus
from postroom import testing
from postroom.message import parse
from postroom.pipeline.pipeline import Pipelines
from postroom.pipeline.planner import plan
from postroom.settings import load_pipeline

ROOT = Path(__file__).resolve().parent.parent
MESSAGES = [corpus.message(number, small=True) for number in range(50)]


def globs(count: int, directory: Path) -> Pipelines:
    """Rules that ask `from` and `subject` in the shapes that operators write."""
    shapes = ('from: "*@host{n}.example"', 'from: "user{n}@*"', 'subject: "*word{n} here*"', 'subject: "[list{n}]*"')
    rules = "".join(
        f"  - {{name: r{n}, when: {{{shapes[n % 4].format(n=n)}}}, do: {{move: f{n}}}}}\n" for n in range(count)
    )
    path = directory / f"globs{count}.yaml"
    path.write_text(f"name: globs{count}\nrules:\n{rules}")
    return load_pipeline(str(path)).pipelines


def planning(pipelines: Pipelines, name: str) -> float:
    """Microseconds per message."""
    tools = testing.tools()
    start = time.perf_counter()
    for raw in MESSAGES:
        plan(pipelines, name, testing.view(message=parse(raw)), tools)
    return (time.perf_counter() - start) / len(MESSAGES) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        start = time.perf_counter()
        many = globs(1000, directory)
        loading = time.perf_counter() - start
        few = globs(10, directory)
        everyday = load_pipeline(str(ROOT / "pipelines/procmail-style.yaml")).pipelines
        cases: dict[str, Callable[[], float]] = {
            "parse and view alone": nothing,
            "10 rules of globs": lambda: planning(few, "globs10"),
            "1,000 rules of globs": lambda: planning(many, "globs1000"),
            "procmail-style, ten rules, first match": lambda: planning(everyday, "procmail-style"),
        }
        times: dict[str, list[float]] = {case: [] for case in cases}
        for run in cases.values():
            run()  # what is made once: indexes, caches
        for _ in range(options.rounds):
            for case, run in cases.items():
                times[case].append(run())
    print("| case | us per message, median [min..max] |\n|---|---|")
    for case, values in times.items():
        print(f"| {case} | {statistics.median(values):.0f} [{min(values):.0f}..{max(values):.0f}] |")
    ratio = statistics.median(times["1,000 rules of globs"]) / statistics.median(times["10 rules of globs"])
    print(f"\n1,000 rules cost {ratio:.2f} times what 10 cost (aim: at most 10); they load in {loading * 1e3:.0f} ms")


def nothing() -> float:
    start = time.perf_counter()
    for raw in MESSAGES:
        testing.view(message=parse(raw))
    return (time.perf_counter() - start) / len(MESSAGES) * 1e6


if __name__ == "__main__":
    main()
