"""The file of learned words and its journal, whole and damaged."""

import random
import time
from contextlib import suppress
from pathlib import Path

import pytest

from postroom.bayes.filter import LEAST, Filter
from postroom.bayes.learner import Learner
from postroom.bayes.words import HEADER, Words
from postroom.errors import Temporary
from unit.bayes.letters import letter, offer, taught


def large(path: Path, count: int) -> None:
    words = Words.empty(capacity=2 * count)
    for number in range(count):
        at = words._find(number + 1)
        words.cells[at], words.cells[at + 1] = number + 1, 1
    words.used, words.spam, words.ham = count, 1000, 1000
    words.write(path, {})


def test_a_million_words_open_in_under_fifty_milliseconds(tmp_path):
    large(tmp_path / "words", 1_000_000)
    took = []
    for _ in range(3):
        began = time.process_time()
        words = Words.read(tmp_path / "words")
        assert words is not None
        assert words.counts(777_777) == (1, 0)
        took.append(time.process_time() - began)
    assert min(took) < 0.05


def test_a_table_that_grows_keeps_every_count():
    words = Words.empty()
    for _ in range(2):
        words = words.add(range(1, 20_000), spam=True, times=1)
    words = words.add(range(10_000, 30_000), spam=False, times=1)
    assert [words.counts(one) for one in (1, 15_000, 29_999, 30_001)] == [(2, 0), (2, 1), (0, 1), (0, 0)]
    assert (words.spam, words.ham, words.used) == (2, 1, 29_999)


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 1000], ids=len)
def test_a_file_that_holds_no_words_is_said_to(tmp_path, content):
    (tmp_path / "words").write_bytes(content)
    with pytest.raises(Temporary, match="damaged"):
        Filter(tmp_path).classify(letter(1))


def test_a_file_that_was_cut_off_is_refused(tmp_path):
    path = taught(tmp_path) / "words"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Temporary, match="damaged"):
        Learner(tmp_path)


@pytest.mark.parametrize("size", [31, 32, 33, 1000, -2000, -1])
def test_a_file_that_was_cut_off_anywhere_is_refused_in_a_sentence(tmp_path, size):
    path = taught(tmp_path) / "words"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(
        Temporary, match="words: this is no file of learned words, or a damaged one; remove the directory"
    ):
        Filter(tmp_path).classify(letter(1))


def test_a_file_of_a_newer_version_is_left_alone(tmp_path):
    path = taught(tmp_path) / "words"
    content = bytearray(path.read_bytes())
    content[28] = 1
    path.write_bytes(content)
    for opens in (lambda: Filter(tmp_path).classify(letter(1)), lambda: Learner(tmp_path)):
        with pytest.raises(Temporary, match="a newer Postroom wrote these learned words"):
            opens()
    assert path.read_bytes() == content


@pytest.mark.parametrize("filled", [b"\xff", b"\x01"])
def test_a_file_without_a_free_cell_is_no_endless_search(tmp_path, filled):
    path = taught(tmp_path) / "words"
    content = path.read_bytes()
    words = Words.read(path)
    assert words is not None
    cells = 12 * words.capacity
    path.write_bytes(content[: HEADER.size] + filled * cells + content[HEADER.size + cells :])
    with pytest.raises(Temporary, match="damaged"):
        Filter(tmp_path).classify(letter(1))


@pytest.mark.parametrize("seed", range(20))
def test_flipped_bits_give_an_opinion_or_a_sentence(tmp_path, seed):
    path = taught(tmp_path) / "words"
    numbers = random.Random(seed)
    content = bytearray(path.read_bytes())
    for _ in range(numbers.choice([1, 10, 2000])):
        content[numbers.randrange(len(content))] ^= 1 << numbers.randrange(8)
    path.write_bytes(content)
    with suppress(Temporary):
        opinion = Filter(tmp_path).classify(offer(1000))
        assert opinion.score is None or -10 <= opinion.score <= 10
    with suppress(Temporary), Learner(tmp_path) as learner:
        learner.learn(offer(1000), spam=True)


@pytest.mark.parametrize("content", [b"x" * 5000, b"\xff" * 5000, b"", b"JBRP\0\0\0\0" + b"\0" * 5000], ids=repr)
def test_a_journal_that_is_rubbish_is_begun_anew(tmp_path, content):
    taught(tmp_path)
    (tmp_path / "journal").write_bytes(content)
    with Learner(tmp_path) as learner:
        assert (learner.spam, learner.ham) == (2 * LEAST, 2 * LEAST)
