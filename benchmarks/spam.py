"""The embedded spam filter beside bogofilter, on the same messages in the same run.

    python benchmarks/spam.py --corpus DIR [--folds 10]

DIR holds directories of messages; those whose name begins with `spam` are spam, all others are not. An archive
(.tar.xz) does as well. Header fields that betray the class (other filters', mailing lists', the way of the collector) are removed first.
Every message is classified by what was learned from the other folds; then the older two thirds are learned and the
newer third is classified. bogofilter is left out where it is not installed.
"""

import argparse
import random
import re
import resource
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from postroom.bayes.filter import SPAM, Filter
from postroom.bayes.learner import Learner
from postroom.message import parse

LEAKING = re.compile(
    rb"^(?:date|x-spam[^:]*|list-[^:]*|sender|errors-to|precedence|x-beenthere|x-mailman-version|mailing-list|received"
    rb"|delivered-to|return-path|x-original-date|x-loop|x-mailscanner[^:]*|delivery-date|x-keywords|x-status|status"
    rb"|x-egroups-return|x-apparently-to|x-delivery-agent|old-subject|x-mailing-list|x-list-admin|x-pstn[^:]*|lines"
    rb"|x-unsubscription-info|x-acceptable-languages|x-precedence-ref|replied|forwarded|x-authentication-warning)"
    rb":[^\n]*\n(?:[ \t][^\n]*\n)*",
    re.IGNORECASE | re.MULTILINE,
)
BOGOFILTER = shutil.which("bogofilter")


@dataclass(frozen=True)
class Sample:
    path: Path
    spam: bool
    date: float


@dataclass(frozen=True)
class Result:
    """Scores of spam and of ham, and from which score on each filter by itself says spam."""

    spam: list[float]
    ham: list[float]
    cut: float

    def wrong(self) -> int:
        return sum(score >= self.cut for score in self.ham)

    def caught(self, cut: float | None = None) -> int:
        return sum(score >= (self.cut if cut is None else cut) for score in self.spam)

    def at_most(self, wrong: int) -> int:
        """Spam caught where the cut is set so that no more ham is taken for spam."""
        worst = sorted(self.ham, reverse=True)
        return sum(score > worst[wrong] for score in self.spam) if wrong < len(worst) else len(self.spam)


def seconds() -> float:
    """Processor time of this process and of those that it has waited for: a busy machine does not change it."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def clean(raw: bytes) -> bytes:
    if raw.startswith(b"From "):
        raw = raw.partition(b"\n")[2]
    head, blank, body = raw.partition(b"\n\n")
    return LEAKING.sub(b"", head + b"\n").rstrip(b"\n") + blank + body


def samples(corpus: Path, into: Path) -> list[Sample]:
    if corpus.is_file():
        with tarfile.open(corpus) as archive:
            archive.extractall(into / "corpus", filter="data")
        corpus = into / "corpus"
    for archive_file in sorted(corpus.glob("*.tar.xz")):
        with tarfile.open(archive_file) as archive:
            archive.extractall(into / "corpus", filter="data")
        corpus = into / "corpus"
    (into / "clean").mkdir()
    found = []
    for number, path in enumerate(sorted(path for path in corpus.rglob("*") if path.is_file())):
        raw = path.read_bytes()
        # The collector's own mail host wrote the last date of the way: the Date of spam is often wrong.
        last = parse(
            b"Date: "
            + raw.partition(b"\nReceived:")[2].partition(b"\n\n")[0].partition(b";")[2].partition(b"\n")[0]
            + b"\n\n"
        )
        made = into / "clean" / str(number)
        made.write_bytes(clean(raw))
        found.append(Sample(made, path.parent.name.startswith("spam"), last.date.timestamp() if last.date else 0.0))
    return found


def ours(learn: list[Sample], test: list[Sample], directory: Path) -> tuple[Result, float, float]:
    began = seconds()
    with Learner(directory) as learner:
        for sample in learn:
            learner.learn(parse(sample.path.read_bytes()), spam=sample.spam)
    learned = seconds() - began
    contents = [(sample.spam, sample.path.read_bytes()) for sample in test]
    bayes = Filter(directory)
    began = seconds()
    scores = [(spam, bayes.classify(parse(raw)).score or 0.0) for spam, raw in contents]
    took = seconds() - began
    return result(scores, SPAM), learned, took


def bogofilter(learn: list[Sample], test: list[Sample], directory: Path) -> tuple[Result, float, float]:
    directory.mkdir()
    base = [str(BOGOFILTER), "-C", "-d", str(directory), "-b"]
    began = seconds()
    for option, spam in (("-s", True), ("-n", False)):
        names = "".join(f"{sample.path}\n" for sample in learn if sample.spam is spam)
        subprocess.run([*base, option], input=names, text=True, check=True)
    learned = seconds() - began
    began = seconds()
    names = "".join(f"{sample.path}\n" for sample in test)
    told = subprocess.run([*base, "-T"], input=names, text=True, capture_output=True, check=False).stdout
    took = seconds() - began
    score = {line.split()[0]: float(line.split()[2]) for line in told.splitlines() if len(line.split()) > 2}
    return result([(sample.spam, score[str(sample.path)]) for sample in test], 0.99), learned, took


def result(scores: list[tuple[bool, float]], cut: float) -> Result:
    return Result([score for spam, score in scores if spam], [score for spam, score in scores if not spam], cut)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=10)
    options = parser.parse_args()
    filters = {"postroom": ours} | ({"bogofilter": bogofilter} if BOGOFILTER else {})
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        found = samples(options.corpus, work)
        shuffled = random.Random(1).sample(found, len(found))
        splits = {f"{options.folds} folds": [fold(shuffled, number, options.folds) for number in range(options.folds)]}
        dated = sorted(found, key=lambda sample: sample.date)
        splits["older, then newer"] = [(dated[: 2 * len(dated) // 3], dated[2 * len(dated) // 3 :])]
        print(
            "| split | filter | spam | ham | ham taken for spam | spam caught | caught at 1 / 4 / 16 wrong | learned | classified, a second of processor time |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        for split, parts in splits.items():
            for filter_name, run in filters.items():
                report(
                    split,
                    filter_name,
                    [
                        run(learn, test, work / f"{filter_name} {split} {number}")
                        for number, (learn, test) in enumerate(parts)
                    ],
                    parts,
                )


def fold(found: list[Sample], number: int, folds: int) -> tuple[list[Sample], list[Sample]]:
    return [one for at, one in enumerate(found) if at % folds != number], found[number::folds]


def report(
    split: str, name: str, results: list[tuple[Result, float, float]], parts: list[tuple[list[Sample], list[Sample]]]
) -> None:
    whole = Result(
        [s for r, _, _ in results for s in r.spam], [s for r, _, _ in results for s in r.ham], results[0][0].cut
    )
    learned = sum(len(learn) for learn, _ in parts) / sum(seconds for _, seconds, _ in results)
    classified = sum(len(test) for _, test in parts) / sum(seconds for _, _, seconds in results)
    swept = " / ".join(str(whole.at_most(wrong)) for wrong in (1, 4, 16))
    print(
        f"| {split} | {name} | {len(whole.spam)} | {len(whole.ham)} | {whole.wrong()} | {whole.caught()} | {swept} | {learned:.0f} | {classified:.0f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
