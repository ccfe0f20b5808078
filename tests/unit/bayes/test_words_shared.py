"""The file of learned words, while others write it: whoever has it mapped is never surprised."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from postroom.bayes.words import Words
from unit.bayes.letters import taught

WRITES = """
import sys
from pathlib import Path
from postroom.bayes.words import Words
words, generation = Words.empty(capacity=50_000), 0
while True:
    words = words.add(range(1, 20_000), spam=True, times=1)
    generation += 1
    words.write(Path(sys.argv[1]), {})
    print(generation, flush=True) if generation == 1 else None
"""


@pytest.fixture
def generations(tmp_path: Path) -> Iterator[Path]:
    """A file that another process writes again and again: every word of it counts what the header says."""
    program = [sys.executable, "-c", WRITES, str(tmp_path / "words")]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"1\n"
        yield tmp_path / "words"
        writer.kill()


def test_nobody_ever_sees_words_half_written(generations):
    held = Words.read(generations)
    seen = set()
    while len(seen) < 30:
        words = Words.read(generations)
        seen.add(words.spam)
        assert {words.counts(one) for one in range(1, 20_000, 371)} == {(words.spam, 0)}
    # What was mapped before all these is as it was.
    assert {held.counts(one) for one in range(1, 20_000)} == {(held.spam, 0)}


CLASSIFIES = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from letters import letter
from postroom.bayes.filter import Filter
from postroom.errors import Temporary
bayes = Filter(Path(sys.argv[1]))
for number in range(2):
    try:
        print(bayes.classify(letter(number)).verdict, flush=True)
    except Temporary as error:
        print(error, flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("size", [0, 40, 5000])
def test_a_file_that_somebody_cut_off_in_place_kills_no_worker_that_has_it_mapped(tmp_path, size):
    taught(tmp_path)
    program = [sys.executable, "-c", CLASSIFIES, str(tmp_path), str(Path(__file__).parent)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ham\n"
        os.truncate(tmp_path / "words", size)
        rest, _ = worker.communicate("\n\n", timeout=60)
    assert "damaged" in rest
    assert worker.returncode == 0
