"""The embedded spam filter: what it makes of messages, and what crashes and neighbours make of it."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from postroom import testing
from postroom.bayes.filter import LEAST, Filter, Opinion
from postroom.bayes.hidden import split
from postroom.bayes.learner import Learner
from postroom.bayes.tokens import HIDDEN, tokens
from postroom.bayes.words import Words, key
from postroom.errors import Temporary
from postroom.message import parse
from unit.bayes.letters import OFFERS, WORK, letter, offer, taught
from waiting import until


def test_what_is_like_the_spam_that_was_learned_is_spam_and_says_why(tmp_path):
    bayes = Filter(taught(tmp_path))
    spam, ham = bayes.classify(offer(1000)), bayes.classify(letter(1000))
    assert (spam.verdict, ham.verdict) == ("spam", "ham")
    assert spam.score >= 5 > 2 > ham.score
    assert spam.symbols == ("BAYES_SPAM",)
    assert any(word in OFFERS for token, probability in spam.strongest for word in token.split() if probability > 0.9)


@pytest.mark.parametrize("messages", [0, 1, LEAST - 1])
def test_a_filter_that_learned_too_little_says_nothing(tmp_path, messages):
    if messages:
        taught(tmp_path, messages)
    opinion = Filter(tmp_path).classify(offer(1000))
    assert (opinion.score, opinion.verdict, opinion.symbols) == (None, "unsure", ("BAYES_UNTRAINED",))
    assert (opinion.spam, opinion.ham) == (messages, messages)


def test_a_message_that_is_like_nothing_learned_is_neither(tmp_path):
    strange = parse(b"\n\nxyzzy plugh\n")
    assert Filter(taught(tmp_path)).classify(strange).verdict != "spam"


def test_learning_a_message_again_changes_nothing(tmp_path):
    with Learner(tmp_path) as learner:
        assert learner.learn(offer(1), spam=True)
        assert not learner.learn(offer(1), spam=True)
    with Learner(tmp_path) as learner:
        assert not learner.learn(offer(1), spam=True)
        assert (learner.spam, learner.ham) == (1, 0)


def test_a_message_that_was_moved_out_of_junk_is_taken_out_of_spam(tmp_path):
    with Learner(tmp_path) as learner:
        learner.learn(offer(1), spam=True)
        assert learner.learn(offer(1), spam=False)
        assert (learner.spam, learner.ham) == (0, 1)
    words = Words.read(tmp_path / "words")
    assert words is not None
    assert words.counts(key(tokens(offer(1))[0])) == (0, 1)


def test_a_novel_in_white_on_white_is_told_and_does_not_help(tmp_path):
    bayes = Filter(taught(tmp_path))
    novel = " ".join(WORK * 2000)
    text = " ".join(random.Random(7).choices(OFFERS, k=30))
    for style in ('color="white"', 'style="color: #fefefe"', 'style="font-size:0px"', 'style="display : none"'):
        page = f"<html><body><p>{text}</p><font {style}>{novel}</font></body></html>"
        opinion = bayes.classify(
            parse(testing.message(subject=text[:30], text=None, html=page, from_="seller@shop.example"))
        )
        assert opinion.verdict == "spam", style
        assert opinion.symbols == ("BAYES_SPAM", "HIDDEN_TEXT")


def test_a_novel_that_can_be_seen_counts_no_more_than_its_part(tmp_path):
    """As many tokens as it has, a bounded number of equal ones decides; learning it once moves each word by one."""
    bayes = Filter(taught(tmp_path))
    poisoned = parse(testing.message(subject="cheap pills", text=" ".join(OFFERS * 3 + WORK * 20_000)))
    assert len(tokens(poisoned)) <= 3000
    before = bayes.classify(letter(1000))
    with Learner(tmp_path) as learner:
        learner.learn(poisoned, spam=True)
    after = bayes.classify(letter(1000))
    assert after.verdict == before.verdict == "ham"


@pytest.mark.parametrize(
    ("page", "seen", "unseen"),
    [
        ("<p>shown</p>", "shown", ""),
        ('<p style="color:red">shown</p>', "shown", ""),
        ('<div style="display:none">gone</div>shown', "shown", "gone"),
        ('<font size="0">shown</font>', "shown", ""),
        ('<font size=-7>shown</font>', "shown", ""),
        ('<p style="font-size:10px">shown</p>', "shown", ""),
        ('<p style="font-size:1.5em">shown</p>', "shown", ""),
        ('<p style="opacity:0.9">shown</p>', "shown", ""),
        ('<body bgcolor=black><font color=white>shown</font><font color="#000">gone</font>', "shown", "gone"),
        ('<td bgcolor="#000080"><font color=white>shown</font></td>', "shown", ""),
        ("<font color=white>gone", "", "gone"),
        ("<p hidden>gone</p>shown", "shown", "gone"),
    ],
)  # fmt: skip
def test_text_that_nobody_sees_is_told_apart(page, seen, unseen):
    shown, hidden = split(page)
    assert ("shown" in shown, "shown" in hidden) == (bool(seen), False)
    assert ("gone" in hidden, "gone" in shown) == (bool(unseen), False)


def test_text_that_is_written_without_spaces_is_cut_into_pairs_of_letters():
    found = tokens(parse(testing.message(subject=None, text="免费发票 click ราคา")))
    assert [one for one in found if not one.isascii()] == ["免费", "费发", "发票", "รา", "าค", "คา"]
    assert "click" in found


def test_short_hidden_text_is_a_preview_and_no_trick():
    assert HIDDEN not in tokens(parse(testing.message(text=None, html='<p style="display:none">See inside</p>Hello')))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0" * 5000,
        b"Subject: " + b"a" * 100_000 + b"\n\n",
        b"Content-Type: text/html\n\n" + b"<font color=white " * 50_000,
        b"Content-Type: text/html\n\n" + b"<div style='color:#fff'>" * 20_000 + b"x" * 100,
        b"Content-Type: text/html\n\n" + b"<font color=red>a</b>" * 20_000,
        b"Content-Type: text/html\n\nfont-size:0" + b"&#65;" * 100_000,
        b"From: " + b"a@b.example," * 20_000 + b"\n\nhttp://" + b"a." * 50_000,
        b"Content-Type: text/plain; charset=utf-8\n\n" + "żółć 漢字 ".encode() * 20_000 + b"\xff\xfe",
        b"\n\n" + b"a.-'" * 100_000,
        b"\n\n" + b"http://x/" * 50_000,
    ],
    ids=range(11),
)
def test_no_message_takes_long_or_has_more_than_a_bounded_number_of_tokens(raw):
    began = time.process_time()
    assert len(tokens(parse(raw))) <= 3000
    assert time.process_time() - began < 2


def test_what_other_filters_wrote_is_not_learned():
    told = testing.message(
        headers={"X-Spam-Status": "Yes, score=20", "X-Rspamd-Score": "9", "X-Postroom-Id": "abc"},
        subject="[spam] Hello",
    )
    assert tokens(parse(told)) == tokens(parse(testing.message()))


# Crashes and neighbours.

LEARNS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from letters import offer
from postroom.bayes.learner import Learner
learner = Learner(Path(sys.argv[1]))
for number in range(10_000):
    learner.learn(offer(number), spam=True)
    learner.sync()
    print(number + 1, flush=True)
"""


def test_a_crash_while_learning_loses_nothing_that_was_learned_before(tmp_path):
    program = [sys.executable, "-c", LEARNS, str(tmp_path), str(Path(__file__).parent)]
    child = subprocess.Popen(program, stdout=subprocess.PIPE)
    assert child.stdout is not None
    learned = 0
    for line in child.stdout:
        learned = int(line)
        if learned >= 30:
            break
    os.kill(child.pid, signal.SIGKILL)
    rest = child.stdout.read().split()
    child.stdout.close()
    child.wait()
    learned = int(rest[-1]) if rest else learned
    with Learner(tmp_path) as learner:
        assert learner.spam in (learned, learned + 1)
        assert not learner.learn(offer(learned - 1), spam=True)


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_message_that_a_crash_cut_off_is_dropped_and_those_before_it_stay(tmp_path, cut):
    learner = Learner(tmp_path)
    for number in range(3):
        learner.learn(offer(number), spam=True)
    learner.sync()
    journal = (tmp_path / "journal").read_bytes()
    learner._unsaved = 0  # as a killed process: nothing is saved
    learner._journal.close()
    os.close(learner._lock)
    (tmp_path / "journal").write_bytes(journal[:-cut])
    with Learner(tmp_path) as again:
        assert again.spam == 2


def test_a_crash_between_new_words_and_empty_journal_counts_no_message_twice(tmp_path):
    with Learner(tmp_path) as learner:
        learner.learn(offer(1), spam=True)
        learner.sync()
        journal = (tmp_path / "journal").read_bytes()
    (tmp_path / "journal").write_bytes(journal)
    with Learner(tmp_path) as learner:
        assert learner.spam == 1


def test_only_one_process_learns_at_a_time(tmp_path):
    with Learner(tmp_path), pytest.raises(Temporary, match="another process is learning"):
        Learner(tmp_path)


def test_two_workers_classify_while_one_learns(tmp_path):
    taught(tmp_path)
    over = threading.Event()
    opinions: list[list[Opinion]] = [[], []]

    def classify(number: int) -> None:
        bayes = Filter(tmp_path)
        while not over.is_set():
            opinions[number].append(bayes.classify(offer(5000 + len(opinions[number]))))

    workers = [threading.Thread(target=classify, args=(number,)) for number in range(2)]
    for worker in workers:
        worker.start()
    with Learner(tmp_path) as learner:
        for number in range(1000, 1060):
            learner.learn(offer(number), spam=True)
            learner.save()
    try:
        until(lambda: all(seen and seen[-1].spam == 2 * LEAST + 60 for seen in opinions))
    finally:
        over.set()
    for worker in workers:
        worker.join()
    for seen in opinions:
        assert {opinion.verdict for opinion in seen} == {"spam"}
        assert [opinion.spam for opinion in seen] == sorted(opinion.spam for opinion in seen)
        assert seen[-1].spam == 2 * LEAST + 60
