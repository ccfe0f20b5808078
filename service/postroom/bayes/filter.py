"""Classifying: how much a message is like what was learned as spam, and which of its words say so.

Each word's probability is Robinson's: its shares in spam and in ham, drawn to one half where it was seen seldom. The
strongest words, which are few and equal, give the mean of their log odds. So no word, and no number of words, counts
for more than its part: a novel beside an offer cannot outvote it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from operator import itemgetter
from pathlib import Path
from typing import Final, Literal

from postroom.bayes.learner import WORDS
from postroom.bayes.tokens import HIDDEN, tokens
from postroom.bayes.words import Words
from postroom.errors import Temporary
from postroom.message import Message
from postroom.transports.files import explained

LEAST: Final = 20  # messages of either kind below which nothing is said
SPAM: Final = 5.0  # the score from which it is spam, as SpamAssassin's
UNSURE: Final = 2.0
_HIGHEST: Final = 10.0
_CUT: Final = 1.35  # the mean of log odds that the score 5 stands for; benchmarks/spam.py shows what it costs
_STRENGTH: Final = 0.1  # how many sightings the assumption of one half is worth
_CLEAR: Final = 0.2  # how far from one half a word has to be to count
_STRONGEST: Final = 200  # words that count
_PADDING: Final = 8  # neutral words that are always added: few words make no certainty
_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Opinion:
    """`score`: from -10 to 10, from 5 on spam; None: too little was learned. `strongest`: words and their
    probabilities, the clearest first. `hidden`: whether it has text that nobody sees.
    """

    score: float | None
    strongest: tuple[tuple[str, float], ...] = ()
    hidden: bool = False
    spam: int = 0
    ham: int = 0

    @property
    def verdict(self) -> Literal["spam", "ham", "unsure"]:
        if self.score is None:
            return "unsure"
        return "spam" if self.score >= SPAM else "unsure" if self.score >= UNSURE else "ham"

    @property
    def told(self) -> str:
        """The strongest words, for people; they are words of the message, and nothing is to store them."""
        return ", ".join(f"{token!r} {probability:.2f}" for token, probability in self.strongest)

    @property
    def symbols(self) -> tuple[str, ...]:
        """As other filters name their tests."""
        if self.score is None:
            return ("BAYES_UNTRAINED",)
        return (f"BAYES_{self.verdict.upper()}", *(("HIDDEN_TEXT",) if self.hidden else ()))


class Filter:
    """The words of one directory, mapped anew when they were written anew; may be shared by threads."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / WORDS
        self._seen: tuple[tuple[int, int, int] | None, Words | None] = (None, None)

    def classify(self, message: Message) -> Opinion:
        """Raises Temporary where the words cannot be read."""
        words = self._current()
        if words is None or min(words.spam, words.ham) < LEAST:
            return Opinion(None, spam=words.spam if words else 0, ham=words.ham if words else 0)
        found = tokens(message)
        clear = _clear(found, words)
        odds = sum(log(probability / (1 - probability)) for _, probability, _ in clear)
        mean = odds / (len(clear) + _PADDING)
        return Opinion(
            round(max(-_HIGHEST, min(_HIGHEST, SPAM * mean / _CUT)), 2),
            tuple((token, probability) for _, probability, token in clear[:_SHOWN]),
            HIDDEN in found,
            words.spam,
            words.ham,
        )

    def _current(self) -> Words | None:
        try:
            with explained(self._path):
                found = self._path.stat()
        except Temporary:
            if self._path.exists():
                raise
            return None
        which = (found.st_ino, found.st_mtime_ns, found.st_size)
        if self._seen[0] != which:
            self._seen = (which, Words.read(self._path))
        return self._seen[1]


def _clear(found: Sequence[str], words: Words) -> list[tuple[float, float, str]]:
    """Distance from one half, probability and word of those that count, the clearest first."""
    spams, hams = words.spam, words.ham
    clear = []
    for token, spam, ham in words.known(found):
        seen = spam + ham
        share = spam * hams / (spam * hams + ham * spams)
        probability = (_STRENGTH * 0.5 + seen * share) / (_STRENGTH + seen)
        distance = abs(probability - 0.5)
        if distance >= _CLEAR:
            clear.append((distance, probability, token))
    clear.sort(key=itemgetter(0), reverse=True)
    return clear[:_STRONGEST]
